"""Sums of floats in four that do not wait for each other: the same on every machine, however many are done at once."""

from typing import Any

import numpy as np

from analytics.disaggregation.stages import compiled


@compiled
def add_up(a: Any) -> Any:
    """Return the sum of an array."""
    sum0 = sum1 = sum2 = sum3 = 0.0
    one, four = np.uint64(1), np.uint64(4)
    whole = np.uint64(a.size) // four * four
    # Whole numbers without a sign spare the check for places counted from the end.
    for i in range(np.uint64(0), whole, four):
        j = i + one
        k = j + one
        m = k + one
        sum0 += a[i]
        sum1 += a[j]
        sum2 += a[k]
        sum3 += a[m]
    for i in range(whole, np.uint64(a.size)):
        sum0 += a[i]
    return (sum0 + sum1) + (sum2 + sum3)


@compiled
def dot(a: Any, b: Any) -> Any:
    """Return the sum of products of two arrays of one length."""
    sum0 = sum1 = sum2 = sum3 = 0.0
    one, four = np.uint64(1), np.uint64(4)
    whole = np.uint64(a.size) // four * four
    for i in range(np.uint64(0), whole, four):
        j = i + one
        k = j + one
        m = k + one
        sum0 += a[i] * b[i]
        sum1 += a[j] * b[j]
        sum2 += a[k] * b[k]
        sum3 += a[m] * b[m]
    for i in range(whole, np.uint64(a.size)):
        sum0 += a[i] * b[i]
    return (sum0 + sum1) + (sum2 + sum3)
