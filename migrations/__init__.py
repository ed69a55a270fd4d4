"""Numbered migrations, immutable once released."""
