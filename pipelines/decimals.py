"""Exact decimals as pairs of integers: value = mantissa * 10**-scale, at most 18 digits, 12 of them decimals."""

from decimal import Decimal, InvalidOperation

import numpy as np
import numpy.typing as npt

from pipelines.db.bulk import MAX_SCALE

MAX_DIGITS = 18
_LIMIT = 10**MAX_DIGITS
TOO_LONG = f"Ensure that there are no more than {MAX_DIGITS} digits, {MAX_SCALE} of them after the point."
NOT_A_NUMBER = "A valid number is required."


def parse(value: object) -> Decimal:
    """Return ``value`` (JSON string or number) as a decimal that the platform keeps exactly.

    Raises
    ------
    ValueError
        Not a finite number, or too long; the text says which.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError(NOT_A_NUMBER)  # noqa: TRY004 - one family for all bad values
    try:
        number = Decimal(value.strip()) if isinstance(value, str) else Decimal(str(value))
    except InvalidOperation:
        raise ValueError(NOT_A_NUMBER) from None
    split(number)
    return number


def split(number: Decimal) -> tuple[int, int]:
    """Return (mantissa, scale) of a decimal.

    Raises
    ------
    ValueError
        Not finite, or more digits than the platform keeps.
    """
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(NOT_A_NUMBER)  # noqa: TRY004 - NaN and infinities carry a letter here
    if exponent < -MAX_SCALE or number.adjusted() >= MAX_DIGITS:
        raise ValueError(TOO_LONG)
    scale = max(0, -exponent)
    mantissa = int(number.scaleb(scale)) if scale else int(number)
    if abs(mantissa) >= _LIMIT:
        raise ValueError(TOO_LONG)
    return mantissa, scale


def split_all(numbers: list[Decimal]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int16]]:
    """Return mantissas [n] and scales [n] of decimals that were parsed before."""
    pairs = [split(number) for number in numbers]
    return (
        np.array([mantissa for mantissa, _ in pairs], dtype=np.int64),
        np.array([scale for _, scale in pairs], dtype=np.int16),
    )
