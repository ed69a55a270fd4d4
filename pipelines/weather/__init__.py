"""Temperatures outside: from files and from a service, per cell of 0.1 degrees and hour."""
