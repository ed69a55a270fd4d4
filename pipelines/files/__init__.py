"""Readings out of files."""
