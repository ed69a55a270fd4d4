from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics.disaggregation.model import _inputs
from analytics.disaggregation.stages.placing import Days, new_work, place_intervals
from tests.unit.analytics.disaggregation.homes import batch_of, home

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


class Placed(NamedTuple):
    """What of a batch tells where its intervals lie."""

    offsets: np.ndarray
    start_us: np.ndarray
    edge_offsets: np.ndarray
    edges_us: np.ndarray
    place: np.ndarray
    first_hour_us: int
    celsius: np.ndarray
    is_night: np.ndarray


@pytest.mark.parametrize("zone", ["Europe/London", "Asia/Kolkata", "Australia/Lord_Howe"])
@pytest.mark.parametrize(("month", "interval_s"), [(10, 60), (10, 7), (3, 300), (4, 240), (3, 1800)])
def test_whole_hours_have_the_same_clock_warmth_and_darkness(zone, month, interval_s):
    subject = home(2023, month, interval_s=interval_s, zone=ZoneInfo(zone))
    batch = batch_of(subject)
    batch.places.celsius[:] = np.random.default_rng(1).normal(10.0, 5.0, batch.places.celsius.shape)
    inputs = _inputs(batch)
    cuts = np.searchsorted(subject.start_us, subject.edges_us)
    placed = []

    for step_s in (interval_s, 0):
        work = new_work(subject.start_us.size)
        place_intervals(inputs, 0, Days(cuts, np.ones(cuts.size - 1, dtype=np.bool_), step_s, 0), work)
        placed.append([array.tolist() for array in (work.wall_s, work.celsius, work.is_dark)])

    assert placed[0] == placed[1]
    assert 0.1 < np.mean(placed[0][2]) < 0.6


def test_the_clock_of_another_home_is_read_again():
    first_us, work = 10 * DAY_US, new_work(96)
    for step_s, late in ((1800, 0), (900, 0), (1800, 0), (1800, 1)):
        n, n_day = 48, 86_400 // step_s
        start_us = first_us + np.arange(-late, n - late, dtype=np.int64) * step_s * 1_000_000
        edges_us = first_us + np.arange(n // n_day + 1, dtype=np.int64) * DAY_US
        inputs = Placed(
            offsets=np.array([0, n]),
            start_us=start_us,
            edge_offsets=np.array([0, edges_us.size]),
            edges_us=edges_us,
            place=np.zeros(1, dtype=np.int64),
            first_hour_us=0,
            celsius=np.zeros((1, 400)),
            is_night=np.ones((1, 400), dtype=np.bool_),
        )
        cuts = np.searchsorted(start_us, edges_us)
        place_intervals(inputs, 0, Days(cuts, np.ones(cuts.size - 1, dtype=np.bool_), step_s, n_day), work)
        wall_s = (start_us - first_us) // 1_000_000 % 86_400
        assert work.wall_s[cuts[0] : cuts[-1]].tolist() == wall_s[cuts[0] : cuts[-1]].tolist()


@pytest.mark.parametrize("step_s", [60, 420, 900, 1800, 3600])
@pytest.mark.parametrize("late_s", [0, 60, 900, 1800])
def test_hours_are_spread_as_they_are_looked_up(step_s, late_s):
    rng = np.random.default_rng(step_s)
    n_hours, n_days = 100, 3
    n = n_days * 86_400 // step_s
    first_us = 24 * HOUR_US + late_s * 1_000_000
    start_us = first_us + np.arange(n, dtype=np.int64) * step_s * 1_000_000
    edges_us = first_us + np.arange(n_days + 1, dtype=np.int64) * DAY_US
    hour = np.minimum((start_us // HOUR_US), n_hours - 1)
    for hours in (n_hours, 80):  # the last hour goes on where there is no other
        celsius, is_night = rng.normal(size=(1, hours)), rng.random((1, hours)) < 0.5
        found = []
        for step in (step_s, 0):
            work = new_work(n)
            inputs = Placed(
                offsets=np.array([0, n]),
                start_us=start_us,
                edge_offsets=np.array([0, n_days + 1]),
                edges_us=edges_us,
                place=np.zeros(1, dtype=np.int64),
                first_hour_us=0,
                celsius=celsius,
                is_night=is_night,
            )
            cuts = np.searchsorted(start_us, edges_us)
            place_intervals(inputs, 0, Days(cuts, np.ones(n_days, dtype=np.bool_), step, 0), work)
            found.append(work)
        at = np.minimum(hour, hours - 1)
        wall_s = (start_us - first_us) // 1_000_000 % 86_400
        for one in found:
            assert one.wall_s.tolist() == wall_s.tolist()
            assert one.celsius.tolist() == celsius[0, at].tolist()
            assert one.is_dark.tolist() == (is_night[0, at] & (wall_s >= 6 * 3600)).tolist()
