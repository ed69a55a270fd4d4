"""The public entry of the disaggregation: a batch of homes in, printed energy per class and day out.

Stages run in order, each on what the ones before left of every valid interval; what none claims is
`others`. Nothing here draws random numbers or depends on threads, the clock or the rest of the batch.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from analytics.climate import sun_elevation_deg
from analytics.disaggregation.batch import CLASSES, Cycles, DisaggregationBatch, HomesBatch
from analytics.disaggregation.columns import HISTORY_DAYS, N_COLUMNS
from analytics.disaggregation.home_month import Inputs
from analytics.disaggregation.kernel import Outputs, disaggregate_homes
from analytics.disaggregation.places import HOUR_US
from analytics.disaggregation.stages.home import numbers_of
from analytics.disaggregation.stages.pieces import APPLIANCE, END_US, ENERGY_MWH, HOME, N_FIELDS, START_US
from analytics.disaggregation.stages.placing import fill_nights
from analytics.disaggregation.stages.season import fill_seasons
from analytics.disaggregation.statistics import raise_fault
from analytics.errors import BrokenContractError
from analytics.kernels.compiling import is_compiled

__all__ = ["MODEL_VERSION", "DisaggregationBatch", "HomesBatch", "disaggregate", "is_ready"]

MODEL_VERSION = "2.1.0"
"""Changes whenever the same input may give another output."""

PIECES_PER_HOME = 200
"""Of cycles, for which there is room at first; a home of 15 minutes has about 170."""

_SUN_AT = ((90.0, 0.0), (0.0, 0.0), (0.0, 90.0))
"""The sine of the sun's elevation anywhere is a sum of those at the pole and two points of the equator."""


def disaggregate(batch: HomesBatch, *, threads: int = 1) -> DisaggregationBatch:
    """Split the energy of every home's target days into classes that sum to it exactly.

    Estimated intervals count in the total, as `others`, and never in the identification. A day without
    valid intervals has no energy of any other class.

    Parameters
    ----------
    batch : HomesBatch
    threads : int
        Homes are shared out among so many; the result is the same for any number.

    Returns
    -------
    DisaggregationBatch

    Raises
    ------
    BrokenContractError
        The batch's intervals are out of order, negative or empty, or there is no thread.
    """
    if threads < 1:
        raise BrokenContractError(f"at least one thread is needed, not {threads}")
    inputs, outputs = _inputs(batch), _outputs(batch)
    cuts = np.linspace(0, batch.n_homes, threads + 1).astype(np.int64).tolist()
    if threads == 1:
        slices = [_slice(inputs, outputs, (0, batch.n_homes))]
    else:
        with ThreadPoolExecutor(threads) as pool:
            slices = list(pool.map(partial(_slice, inputs, outputs), pairwise(cuts)))
    for home, fault, _ in slices:
        raise_fault(home, fault)
    return DisaggregationBatch(
        model_version=MODEL_VERSION,
        target_offsets=batch.target_offsets,
        cycles=_cycles([table for _, _, table in slices]),
        **outputs._asdict(),
    )


def is_ready() -> bool:
    """Tell whether the stages are compiled; where not, the first call takes about a minute."""
    return is_compiled(disaggregate_homes)


def _inputs(batch: HomesBatch) -> Inputs:
    """Return the batch as arrays, with the seasons of each place and span of days among its homes."""
    places = batch.places
    n_hours = places.celsius.shape[1]
    sun = _sun(places.first_hour_us, n_hours)
    edge_us = batch.day_edges_us[batch.edge_offsets[:-1] + batch.n_context_days]
    end_us = batch.day_edges_us[batch.edge_offsets[1:] - 1]
    keys, season = np.unique(np.stack([batch.place, edge_us, end_us], axis=1), axis=0, return_inverse=True)
    n_target = int(np.diff(batch.target_offsets).max(initial=0))
    shape = (keys.shape[0], HISTORY_DAYS + n_target)
    mean_c, dark_h, measured = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    if n_hours:
        fill_seasons(
            places.first_hour_us,
            places.celsius,
            places.is_measured,
            sun,
            places.latitude,
            places.longitude,
            keys[:, 0].copy(),
            keys[:, 1].copy(),
            keys[:, 2].copy(),
            HISTORY_DAYS,
            mean_c,
            dark_h,
            measured,
        )
    is_night = np.zeros(places.celsius.shape, dtype=np.bool_)
    if n_hours and batch.n_homes:
        span_us = np.array([batch.day_edges_us.min(), batch.day_edges_us.max()])
        first, last = np.clip((span_us - places.first_hour_us) // HOUR_US + (0, 1), 0, n_hours).tolist()
        fill_nights(sun, places.latitude, places.longitude, first, last, is_night)
    wattages = [household.ev_wattages_w for household in batch.households]
    return Inputs(
        offsets=batch.offsets,
        start_us=batch.start_us,
        duration_s=batch.duration_s,
        energy_uwh=batch.energy_uwh,
        is_valid=batch.is_valid,
        edge_offsets=batch.edge_offsets,
        edges_us=batch.day_edges_us,
        first_day=batch.first_day,
        n_context_days=batch.n_context_days,
        history_offsets=batch.history_offsets,
        history=np.ascontiguousarray(batch.history),
        target_offsets=batch.target_offsets,
        homes=numbers_of(batch.households),
        wattage_offsets=np.concatenate(([0], np.cumsum([len(row) for row in wattages]))).astype(np.int64),
        wattages_w=np.array([watts for row in wattages for watts in row], dtype=np.float64),
        place=batch.place,
        first_hour_us=places.first_hour_us,
        celsius=np.ascontiguousarray(places.celsius),
        is_night=is_night,
        season=season.reshape(-1).astype(np.int64),
        mean_c=mean_c,
        dark_h=dark_h,
        measured=measured,
    )


@lru_cache(maxsize=4)
def _sun(first_hour_us: int, n_hours: int) -> npt.NDArray[np.float64]:
    """Return the sines of the sun's elevation at `_SUN_AT`, shape (3, hours); batches of a month share them."""
    hours_us = first_hour_us + np.arange(n_hours, dtype=np.int64) * HOUR_US
    return np.stack([np.sin(np.radians(sun_elevation_deg(hours_us, *at))) for at in _SUN_AT])


def _outputs(batch: HomesBatch) -> Outputs:
    n_days, shape = int(batch.target_offsets[-1]), (batch.n_homes, len(CLASSES))
    return Outputs(
        total_mwh=np.zeros(n_days, dtype=np.int64),
        parts_mwh=np.zeros((n_days, len(CLASSES)), dtype=np.int64),
        confidence=np.zeros(shape),
        lower_mwh=np.zeros(shape, dtype=np.int64),
        upper_mwh=np.zeros(shape, dtype=np.int64),
        valid_s=np.zeros(n_days, dtype=np.int64),
        expected_s=np.zeros(n_days, dtype=np.int64),
        statistics=np.zeros((n_days, N_COLUMNS), dtype=np.uint16),
    )


def _slice(inputs: Inputs, outputs: Outputs, homes: tuple[int, int]) -> tuple[int, int, npt.NDArray[np.int64]]:
    """Split some of the homes; return the first at fault, or -1, its fault, and the cycles, shape (N_FIELDS, pieces).

    NumPy asks for large pages, a tenth of the time of small ones when they are first written to.
    """
    table = np.empty((N_FIELDS, PIECES_PER_HOME * (homes[1] - homes[0])), dtype=np.int64)
    home, fault, table, count = disaggregate_homes(*homes, inputs, outputs, table)
    return home, fault, table[:, :count]


def _cycles(tables: list[npt.NDArray[np.int64]]) -> Cycles:
    home, appliance, start_us, end_us, energy_mwh = (
        tables[0][field] if len(tables) == 1 else np.concatenate([table[field] for table in tables])
        for field in (HOME, APPLIANCE, START_US, END_US, ENERGY_MWH)
    )
    return Cycles(home=home, appliance=appliance, start_us=start_us, end_us=end_us, energy_mwh=energy_mwh)
