"""Devices, series, readings, staging: what meters say, kept exactly as they said it."""
