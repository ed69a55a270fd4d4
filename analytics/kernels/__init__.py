"""Compiled loops over arrays and scalars, and how others are compiled; the only package that imports numba.

Each public function checks the dtypes and shapes its compiled core relies on, and has an independent
naive twin in `tests/reference`.
"""
