"""Checks of what compiled code relies on; a wrong array is our bug and raises."""

from typing import Any

import numpy as np
import numpy.typing as npt

from analytics.errors import BrokenContractError


def require_array(name: str, array: npt.NDArray[Any], dtype: type[np.generic], size: int | None = None) -> None:
    """Check that an array is one-dimensional and contiguous, of a dtype and, where given, a size.

    Raises
    ------
    BrokenContractError
        It is not.
    """
    if array.dtype != dtype or array.ndim != 1 or not array.flags.c_contiguous:
        raise BrokenContractError(
            f"{name}: a contiguous vector of {dtype.__name__} is needed, not {array.dtype} {array.shape}"
        )
    if size is not None and array.size != size:
        raise BrokenContractError(f"{name}: {size} elements are needed, not {array.size}")


def require_offsets(name: str, offsets: npt.NDArray[np.int64], size: int) -> None:
    """Check that offsets of compressed rows start at 0, never fall and end at `size`.

    Raises
    ------
    BrokenContractError
        They do not.
    """
    require_array(name, offsets, np.int64)
    if offsets.size == 0 or offsets[0] != 0 or offsets[-1] != size or np.any(offsets[1:] < offsets[:-1]):
        raise BrokenContractError(f"{name}: offsets rise from 0 to {size}")
