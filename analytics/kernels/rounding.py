"""Cumulative rounding of many homes' days at once; `analytics.rounding` is the definition."""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from analytics.kernels.checks import require_array, require_offsets


@njit(cache=True, nogil=True)
def _round_rows(offsets: Any, amounts: Any, step: Any) -> Any:
    rounded = np.empty(amounts.size, dtype=np.int64)
    for row in range(offsets.size - 1):
        exact, before = 0, 0
        for i in range(offsets[row], offsets[row + 1]):
            exact += amounts[i]
            after, rest = exact // step, exact % step
            if 2 * rest > step or (2 * rest == step and after % 2 == 1):
                after += 1
            rounded[i] = after - before
            before = after
    return rounded


def round_rows(offsets: npt.NDArray[np.int64], amounts: npt.NDArray[np.int64], step: int) -> npt.NDArray[np.int64]:
    """Round each row's amounts to whole steps, so that leading parts sum to their exact rounding.

    Parameters
    ----------
    offsets : ndarray of int64, shape (rows + 1,)
        Row `i` is `amounts[offsets[i]:offsets[i + 1]]`.
    amounts : ndarray of int64, shape (n,), [µWh]
    step : int, [µWh]

    Returns
    -------
    ndarray of int64, shape (n,), [steps]

    Raises
    ------
    BrokenContractError
        An array has another dtype or shape.
    """
    require_array("amounts", amounts, np.int64)
    require_offsets("offsets", offsets, amounts.size)
    rounded: npt.NDArray[np.int64] = _round_rows(offsets, amounts, step)
    return rounded
