"""Compiling the disaggregation for this machine: ahead of its first use, or with a word to whoever waits for it."""

import logging
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np

from analytics.disaggregation.columns import N_COLUMNS
from analytics.disaggregation.homes import HomeIntervals, month_batch, month_statistics, temperature_span_us
from analytics.disaggregation.households import Household
from analytics.disaggregation.model import disaggregate, is_ready
from analytics.disaggregation.places import places_of

_LOG = logging.getLogger("wattloom.insight")
_MONTH, _ZONE = date(2000, 1, 1), ZoneInfo("UTC")


def announce_compiling() -> None:
    """Say so when the next disaggregation has to be compiled first."""
    if not is_ready():
        _LOG.info("the disaggregation is compiled for this machine first, once: about a minute")


def compile_ahead() -> None:
    """Compile what the disaggregation runs, and keep it on disk: a month of a home that measured nothing."""
    nothing = HomeIntervals(
        offsets=np.zeros(2, dtype=np.int64),
        start_us=np.empty(0, dtype=np.int64),
        duration_s=np.empty(0, dtype=np.int32),
        energy_uwh=np.empty(0, dtype=np.int64),
        quality=np.empty(0, dtype=np.int16),
    )
    start_us, end_us = temperature_span_us(_MONTH)
    month_statistics([_MONTH], zones=[_ZONE], intervals=nothing)
    disaggregate(
        month_batch(
            _MONTH,
            zones=[_ZONE],
            intervals=nothing,
            history=[np.empty((0, N_COLUMNS), dtype=np.uint16)],
            households=[Household()],
            places=places_of([(0.0, 0.0)], start_us=start_us, end_us=end_us),
            place=np.zeros(1, dtype=np.int64),
        )
    )
