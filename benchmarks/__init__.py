"""Benchmarks: ratios of one run on one machine, written to docs/benchmarks.md by ``make bench``."""
