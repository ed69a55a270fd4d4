"""Compiling the disaggregation for this machine: ahead of its first use, or with a word to whoever waits for it."""

import logging
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np

from analytics.daily import total_homes
from analytics.disaggregation.columns import N_COLUMNS
from analytics.disaggregation.homes import (
    HomesHistory,
    month_batch,
    month_edges_us,
    month_statistics,
    temperature_span_us,
)
from analytics.disaggregation.households import Household
from analytics.disaggregation.model import disaggregate, is_ready
from analytics.disaggregation.places import places_of
from analytics.profiles import unpack_homes

_LOG = logging.getLogger("wattloom.insight")
_MONTH, _ZONE = date(2000, 1, 1), ZoneInfo("UTC")


def announce_compiling() -> None:
    """Say so when the next disaggregation has to be compiled first."""
    if not is_ready():
        _LOG.info("the disaggregation is compiled for this machine first, once: about a minute")


def compile_ahead() -> None:
    """Compile what the disaggregation runs, and keep it on disk: a month of a home that measured nothing."""
    nothing = unpack_homes([b""])
    columns = (nothing.offsets, nothing.start_us, nothing.duration_s, nothing.energy_uwh, nothing.quality)
    total_homes(*columns, month_edges_us(_MONTH, _ZONE)[None].copy())
    start_us, end_us = temperature_span_us(_MONTH)
    month_statistics([_MONTH], zones=[_ZONE], intervals=nothing)
    disaggregate(
        month_batch(
            _MONTH,
            zones=[_ZONE],
            intervals=nothing,
            history=HomesHistory(
                offsets=np.zeros(2, dtype=np.int64), days=np.empty((0, N_COLUMNS), dtype=np.uint16)
            ),
            households=[Household()],
            places=places_of([(0.0, 0.0)], start_us=start_us, end_us=end_us),
            place=np.zeros(1, dtype=np.int64),
        )
    )
