"""Decimals as the platform keeps them: exact, bounded, never a float."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.decimals import parse, split, split_all


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**11), max_value=10**11))
def test_a_number_split_and_put_together_is_the_same_with_its_zeros(number):
    mantissa, scale = split(number)
    again = Decimal(mantissa).scaleb(-scale)
    assert (again, again.as_tuple().exponent) == (number, number.as_tuple().exponent)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("1.50", (150, 2)),
        ("1E3", (1000, 0)),
        ("-0", (0, 0)),
        (" 7 ", (7, 0)),
        (0.1, (1, 1)),
        (10**17, (10**17, 0)),
    ],
)
def test_what_json_may_say_is_understood(sent, kept):
    assert split(parse(sent)) == kept


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "x",
        "1,5",
        None,
        True,
        [],
        "NaN",
        "Infinity",
        "-inf",
        float("nan"),
        10**18,
        "1e30",
        "1e-13",
        "1e999999999",
    ],
)
def test_what_is_no_number_or_too_long_is_refused(sent):
    with pytest.raises(ValueError, match=r"valid number|no more than"):
        parse(sent)


def test_many_are_split_as_one_is():
    mantissa, scale = split_all([Decimal("1.5"), Decimal(-2)])
    assert (mantissa.tolist(), scale.tolist()) == ([15, -2], [1, 0])
