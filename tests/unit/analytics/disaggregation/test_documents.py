import json

import numpy as np
import pytest

from analytics.disaggregation.documents import disaggregation_document, month_weeks_document
from analytics.errors import BrokenContractError


def test_the_disaggregation_lists_what_was_found_and_a_report_what_is_known():
    parts = {"standby": 5_374_361, "others": 0, "fridge": 5_413_511}
    shape = {"total_mwh": 10_787_872, "disconnection": 14.3, "parts_mwh": parts}

    found = disaggregation_document(**shape)
    known = disaggregation_document(**shape, with_zeros=True)

    assert json.dumps(found) == (
        '{"total_consumption": 10787.872, "disconnection_percentage": 14.3, "appliances": '
        '[{"appliance_key": "fridge", "consumption": 5413.511}, '
        '{"appliance_key": "standby", "consumption": 5374.361}]}'
    )
    assert [row["appliance_key"] for row in known["appliances"]] == ["fridge", "others", "standby"]


def test_parts_that_do_not_add_up_are_our_bug():
    with pytest.raises(BrokenContractError, match="add up"):
        disaggregation_document(total_mwh=3, disconnection=0.0, parts_mwh={"others": 2})
    with pytest.raises(BrokenContractError, match="never negative"):
        disaggregation_document(total_mwh=1, disconnection=0.0, parts_mwh={"others": 2, "standby": -1})


def test_the_clipped_weeks_of_a_month_add_up_to_it():
    standby = np.arange(30, dtype=np.int64) * 1001
    others = np.full(30, 333_333, dtype=np.int64)

    document = month_weeks_document(
        year=2023, month=9, disconnection=0.0, day_parts_mwh={"standby": standby, "others": others}
    )

    weeks = document["weeks"]
    assert [(week["from"], week["to"]) for week in weeks] == [
        ("2023-09-01", "2023-09-03"),
        ("2023-09-04", "2023-09-10"),
        ("2023-09-11", "2023-09-17"),
        ("2023-09-18", "2023-09-24"),
        ("2023-09-25", "2023-09-30"),
    ]
    total = round(document["total_consumption"] * 1000)
    assert total == int(standby.sum() + others.sum())
    assert sum(round(week["total_consumption"] * 1000) for week in weeks) == total
    for week in weeks:
        parts = sum(round(row["consumption"] * 1000) for row in week["appliances"])
        assert parts == round(week["total_consumption"] * 1000)


def test_a_month_needs_a_figure_for_each_day():
    with pytest.raises(BrokenContractError, match="one figure per day"):
        month_weeks_document(
            year=2023, month=9, disconnection=0.0, day_parts_mwh={"others": np.zeros(31, dtype=np.int64)}
        )
