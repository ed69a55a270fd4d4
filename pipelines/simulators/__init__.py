"""Simulated meters and physically plausible households, for the demo and the tests."""
