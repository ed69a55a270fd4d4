"""One package a protocol; none knows another, and none does I/O."""
