"""Quality codes of derived interval energy, one sentence each; SQL publishes the same table."""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Quality(IntEnum):
    """How an interval's energy came about; the codes are stored, so they never change meaning."""

    MEASURED = 0
    ROLLOVER = 1
    SPREAD = 2
    ESTIMATED = 3
    RESET = 4
    EXCHANGE = 5
    NEGATIVE = 6
    IMPLAUSIBLE = 7

    @property
    def description(self) -> str:
        """One sentence for analysts."""
        return DESCRIPTIONS[self]

    @property
    def is_valid(self) -> bool:
        """Whether the interval counts as measured, in completeness and disconnection."""
        return self <= Quality.SPREAD

    @property
    def counts_energy(self) -> bool:
        """Whether the interval's energy is part of totals; where not, its energy is 0."""
        return self <= Quality.ESTIMATED

    @property
    def is_profile(self) -> bool:
        """Whether the interval shows when the energy was used, so that appliances can be told by it.

        A daily register spread over its hours is valid, but its flat shape is ours, not the home's.
        """
        return self <= Quality.ROLLOVER


DESCRIPTIONS: dict[Quality, str] = {
    Quality.MEASURED: "Measured over the interval.",
    Quality.ROLLOVER: "Measured across the register's rollover to zero.",
    Quality.SPREAD: "Measured over more than one hour; the whole is known and spread evenly within.",
    Quality.ESTIMATED: "A gap bridged by a register difference; the total is known, the times are estimated.",
    Quality.RESET: "The register fell and the reason cannot be told; no energy is counted.",
    Quality.EXCHANGE: "The meter was exchanged between the readings; no energy is counted.",
    Quality.NEGATIVE: "An interval value below zero for a one-way flow; no energy is counted.",
    Quality.IMPLAUSIBLE: "Beyond plausible power or out of range; no energy is counted.",
}


class QualityRow(NamedTuple):
    """One row of the published table."""

    code: int
    name: str
    description: str
    is_valid: bool
    counts_energy: bool


QUALITY_TABLE: tuple[QualityRow, ...] = tuple(
    QualityRow(quality.value, quality.name.lower(), quality.description, quality.is_valid, quality.counts_energy)
    for quality in Quality
)


def valid_mask(quality: npt.NDArray[np.int16]) -> npt.NDArray[np.bool_]:
    """Mark the intervals that count as measured."""
    return quality <= Quality.SPREAD


def counts_mask(quality: npt.NDArray[np.int16]) -> npt.NDArray[np.bool_]:
    """Mark the intervals whose energy is part of totals."""
    return quality <= Quality.ESTIMATED


def profile_mask(quality: npt.NDArray[np.int16]) -> npt.NDArray[np.bool_]:
    """Mark the intervals that disaggregation may learn from (`HomesBatch.is_valid`)."""
    return quality <= Quality.ROLLOVER
