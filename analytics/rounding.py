"""Exact rounding of integer energy, so that printed parts always add up to the printed whole."""

from collections.abc import Iterable

MWH_UWH = 1_000
"""One milliwatt-hour [µWh]: the last printed digit of Wh with 3 decimals."""
TEN_MWH_UWH = 10_000
"""Ten milliwatt-hours [µWh]: the last printed digit of kWh with 5 decimals."""


def round_half_even(amount: int, step: int) -> int:
    """Return `amount / step` to the nearest whole number, ties to the even one, exactly.

    Source: IEEE 754-2019, 4.3.1 (roundTiesToEven), on integers.
    """
    whole, rest = divmod(amount, step)
    if 2 * rest > step or (2 * rest == step and whole % 2 == 1):
        return whole + 1
    return whole


def round_cumulatively(amounts: Iterable[int], step: int) -> list[int]:
    """Round amounts to whole steps so that every leading part sums to its own exact rounding.

    The sum of the result is `round_half_even(sum(amounts), step)`; no entry is more than one step
    off, and entries of amounts >= 0 are >= 0.
    """
    rounded: list[int] = []
    exact, before = 0, 0
    for amount in amounts:
        exact += int(amount)
        after = round_half_even(exact, step)
        rounded.append(after - before)
        before = after
    return rounded
