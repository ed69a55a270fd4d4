"""Text into exact decimals by the column: value = mantissa * 10**-scale, never by way of a float."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines import decimals
from pipelines.db.bulk import MAX_SCALE
from pipelines.files.plan import BLANKS, Code

DETAILS = {
    Code.MISSING_VALUE: "There is no value.",
    Code.INVALID_VALUE: "Not a number with a decimal point.",
    Code.VALUE_TOO_LONG: decimals.TOO_LONG,
}
_NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_LIMIT = 10**decimals.MAX_DIGITS


@dataclass(frozen=True, kw_only=True)
class Decimals:
    """Mantissas [n], scales [n], and by reason the rows at fault, whose mantissa is 0."""

    mantissa: npt.NDArray[np.int64]
    scale: npt.NDArray[np.int16]
    faults: dict[Code, npt.NDArray[np.bool_]]


def parse_decimals(texts: pl.Series) -> Decimals:
    """Return the decimals that ``texts`` [n, String] name, exactly as ``decimals.split`` would.

    Null is an absent value. An exponent is understood; blanks around the number are not part of it.
    """
    text = texts.str.strip_chars(BLANKS)
    is_missing = (text.is_null() | (text == "")).fill_null(value=True)
    is_number = text.str.contains(_NUMBER).fill_null(value=False)
    # Digits without their point; an exponent or more than 19 digits do not cast and take the slow way.
    digits = text.set(~is_number, None).str.replace(".", "", literal=True).str.strip_prefix("+")
    whole = digits.cast(pl.Int64, strict=False)
    point = text.str.find(".", literal=True)
    places = (text.str.len_bytes().cast(pl.Int64) - point.cast(pl.Int64) - 1).fill_null(0)
    fits = (whole.is_between(-_LIMIT + 1, _LIMIT - 1) & (places <= MAX_SCALE)).fill_null(value=False).to_numpy()
    mantissa = np.where(fits, whole.fill_null(0).to_numpy(), 0)
    scale = np.where(fits, places.to_numpy(), 0).astype(np.int16)
    odd = is_number.to_numpy() & ~fits
    too_long = _parse_odd(text, odd, mantissa, scale)
    return Decimals(
        mantissa=mantissa,
        scale=scale,
        faults={
            Code.MISSING_VALUE: is_missing.to_numpy(),
            Code.INVALID_VALUE: ~is_missing.to_numpy() & ~is_number.to_numpy(),
            Code.VALUE_TOO_LONG: too_long,
        },
    )


def _parse_odd(
    text: pl.Series, odd: npt.NDArray[np.bool_], mantissa: npt.NDArray[np.int64], scale: npt.NDArray[Any]
) -> npt.NDArray[np.bool_]:
    """Fill in the rows that the fast way leaves; return [n] where the number has too many digits."""
    too_long = np.zeros(len(odd), dtype=np.bool_)
    rows = np.flatnonzero(odd)
    for row, number in zip(rows.tolist(), text.gather(rows).to_list(), strict=True):
        try:
            mantissa[row], scale[row] = decimals.split(decimals.parse(number))
        except ValueError:
            too_long[row] = True
    return too_long
