"""Text of a value column becomes exactly the decimal it names, or a verdict."""

import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import decimals
from pipelines.files.decimal_columns import parse_decimals
from pipelines.files.plan import BLANKS, Code

_GRAMMAR = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_digits = st.text("0123456789", max_size=24)
_numbers = st.builds(
    lambda sign, whole, point, fraction, exponent: f"{sign}{whole}{point}{fraction}{exponent}",
    st.sampled_from(["", "", "-", "+"]),
    _digits,
    st.sampled_from(["", ".", "."]),
    _digits,
    st.one_of(st.just(""), st.just(""), st.builds("e{}".format, st.integers(-40, 40))),
)


def _reference(text: str | None) -> tuple[int, int] | Code:
    """Say what a text means, one at a time, by way of Python's Decimal."""
    bare = (text or "").strip(BLANKS)
    if not bare:
        return Code.MISSING_VALUE
    if not _GRAMMAR.fullmatch(bare):
        return Code.INVALID_VALUE
    try:
        return decimals.split(decimals.parse(bare))
    except ValueError:
        return Code.VALUE_TOO_LONG


def _parsed(texts: list[str | None]) -> list[tuple[int, int] | Code]:
    result = parse_decimals(pl.Series(texts, dtype=pl.String))
    verdicts: list[tuple[int, int] | Code] = []
    for row in range(len(texts)):
        faults = [code for code, mask in result.faults.items() if mask[row]]
        assert len(faults) <= 1
        verdicts.append(faults[0] if faults else (int(result.mantissa[row]), int(result.scale[row])))
    return verdicts


@given(st.lists(st.one_of(_numbers, st.none(), st.text(max_size=8)), max_size=30))
def test_every_text_means_what_decimal_says_or_is_refused(texts: list[str | None]) -> None:
    assert _parsed(texts) == [_reference(text) for text in texts]


@given(st.integers(-(10**18) + 1, 10**18 - 1), st.integers(0, 12))
def test_every_decimal_of_the_platform_survives_text(mantissa: int, scale: int) -> None:
    digits = str(abs(mantissa)).zfill(scale + 1)
    whole, fraction = (digits[:-scale], digits[-scale:]) if scale else (digits, "")
    text = ("-" if mantissa < 0 else "") + whole + ("." + fraction if scale else "")
    assert _parsed([text]) == [(mantissa, scale)]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (" 0.219 ", (219, 3)),
        ("\u00a00.5\t", (5, 1)),
        ("\x1f", Code.INVALID_VALUE),
        ("0.1409999", (1409999, 7)),
        ("1.5E-3", (15, 4)),
        ("2e3", (2000, 0)),
        ("-0.0", (0, 1)),
        ("Null", Code.INVALID_VALUE),
        ("NaN", Code.INVALID_VALUE),
        ("inf", Code.INVALID_VALUE),
        ("-Infinity", Code.INVALID_VALUE),
        ("1,5", Code.INVALID_VALUE),
        ("1_000", Code.INVALID_VALUE),
        ("٣", Code.INVALID_VALUE),
        ("0x10", Code.INVALID_VALUE),
        ("1e30", Code.VALUE_TOO_LONG),
        ("1e-13", Code.VALUE_TOO_LONG),
        ("1e999999999", Code.VALUE_TOO_LONG),
        ("9" * 18, (10**18 - 1, 0)),
        ("9" * 19, Code.VALUE_TOO_LONG),
        ("-9223372036854775808", Code.VALUE_TOO_LONG),
        ("9" * 5000, Code.VALUE_TOO_LONG),
        ("0" * 40 + "7", (7, 0)),
        ("", Code.MISSING_VALUE),
        ("  ", Code.MISSING_VALUE),
        (None, Code.MISSING_VALUE),
    ],
)
def test_values_of_real_files_get_their_verdict(text: str | None, verdict: tuple[int, int] | Code) -> None:
    assert _parsed([text, "1"]) == [verdict, (1, 0)]
