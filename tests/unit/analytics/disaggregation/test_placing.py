from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics.disaggregation.model import _inputs
from analytics.disaggregation.stages.placing import Days, new_work, place_intervals
from tests.unit.analytics.disaggregation.homes import batch_of, home


@pytest.mark.parametrize("zone", ["Europe/London", "Asia/Kolkata", "Australia/Lord_Howe"])
@pytest.mark.parametrize(("month", "interval_s"), [(10, 60), (10, 7), (3, 300), (4, 240)])
def test_the_short_way_of_minutes_gives_the_same_clock_warmth_and_darkness(zone, month, interval_s):
    subject = home(2023, month, interval_s=interval_s, zone=ZoneInfo(zone))
    batch = batch_of(subject)
    batch.places.celsius[:] = np.random.default_rng(1).normal(10.0, 5.0, batch.places.celsius.shape)
    inputs = _inputs(batch)
    cuts = np.searchsorted(subject.start_us, subject.edges_us)
    placed = []

    for is_even in (True, False):
        work = new_work(subject.start_us.size)
        place_intervals(inputs, 0, Days(cuts, np.full(cuts.size - 1, is_even)), work)
        placed.append([array.tolist() for array in (work.wall_s, work.celsius, work.is_dark)])

    assert placed[0] == placed[1]
    assert 0.1 < np.mean(placed[0][2]) < 0.6
