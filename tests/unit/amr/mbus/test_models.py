from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from pipelines.amr.contract import Reading
from pipelines.amr.faults import BadData
from pipelines.amr.protocols.mbus.frames import parse
from pipelines.amr.protocols.mbus.records import Record
from pipelines.amr.protocols.mbus.series import Collection, Rule
from pipelines.amr.protocols.mbus.session import MODELS, RULES
from pipelines.amr.protocols.mbus.telegram import Telegram, parse_telegram

NOW = datetime(2026, 3, 2, 14, 31, 7, tzinfo=UTC)
ENERGY = Rule(series="e", quantity="energy", unit="kWh")


@pytest.mark.parametrize("key", sorted(MODELS))
def test_a_model_gives_the_readings_that_its_sample_expects(key: str) -> None:
    model = MODELS[key]
    sample = model.data["sample"]
    collection = Collection(
        rules=RULES[key],
        zone=ZoneInfo(sample["zone"]),
        dates=model.data.get("dates", "turn"),
        with_history=sample["history"],
    )
    collected_at = datetime.fromisoformat(sample.get("collected_at", "2000-01-01T00:00:00Z"))
    found = []
    for text in sample["telegrams"]:
        found += collection.readings(parse_telegram(parse(bytes.fromhex(text))), collected_at)
    expected = [
        Reading(row["series"], datetime.fromisoformat(row["timestamp"]), Decimal(row["value"]), row["unit"])
        for row in sample["readings"]
    ]
    assert found == expected


def energy(value: str, **facts: int) -> Record:
    return Record(quantity="energy", unit="Wh", value=Decimal(value), **facts)


@pytest.mark.parametrize(
    ("meaning", "day", "instant"),
    [
        ("turn", date(2026, 1, 31), datetime(2026, 1, 31, 23, tzinfo=UTC)),
        ("turn", date(2026, 2, 1), datetime(2026, 1, 31, 23, tzinfo=UTC)),
        ("start", date(2026, 1, 31), datetime(2026, 1, 30, 23, tzinfo=UTC)),
        ("end", date(2026, 2, 1), datetime(2026, 2, 1, 23, tzinfo=UTC)),
    ],
)
def test_a_stored_date_means_what_the_model_says(meaning: str, day: date, instant: datetime) -> None:
    collection = Collection(
        rules=(Rule(series="e", quantity="energy", unit="kWh"),),
        zone=ZoneInfo("Europe/Berlin"),
        dates=meaning,
        with_history=True,
    )
    records = (energy("5000", storage=3), Record(quantity="date", value=day, storage=3))
    assert collection.readings(Telegram(records=records), NOW) == [Reading("e", instant, Decimal("5.000"), "kWh")]


def test_a_date_may_come_a_telegram_after_its_value() -> None:
    collection = Collection(rules=(ENERGY,), zone=ZoneInfo("UTC"), with_history=True)
    assert collection.readings(Telegram(records=(energy("5000", storage=3),)), NOW) == []
    later = Telegram(records=(Record(quantity="date", value=date(2026, 2, 1), storage=3),))
    assert collection.readings(later, NOW) == [
        Reading("e", datetime(2026, 2, 1, tzinfo=UTC), Decimal("5.000"), "kWh")
    ]


def test_without_history_stored_values_are_left_alone() -> None:
    collection = Collection(rules=(ENERGY,), zone=ZoneInfo("UTC"))
    records = (energy("5000", storage=1), Record(quantity="date", value=date(2026, 2, 1), storage=1))
    assert collection.readings(Telegram(records=records), NOW) == []


def test_the_time_of_collection_is_put_on_the_grid() -> None:
    collection = Collection(rules=(ENERGY,), zone=ZoneInfo("UTC"), align_seconds=900)
    (reading,) = collection.readings(Telegram(records=(energy("1"),)), NOW)
    assert reading.timestamp == datetime(2026, 3, 2, 14, 30, tzinfo=UTC)


def test_of_two_records_for_one_series_and_instant_the_first_is_kept() -> None:
    collection = Collection(rules=(ENERGY,), zone=ZoneInfo("UTC"))
    readings = collection.readings(Telegram(records=(energy("1000"), energy("2000"))), NOW)
    assert [reading.value for reading in readings] == [Decimal(1)]


def test_maxima_other_subunits_and_modified_values_are_not_taken_for_the_register() -> None:
    collection = Collection(rules=(ENERGY,), zone=ZoneInfo("UTC"))
    records = (
        energy("1", subunit=1),
        energy("2", tariff=1),
        Record(quantity="energy", unit="Wh", value=Decimal(3), modifiers=(0x3C,)),
        Record(quantity="energy", unit="Wh", value=Decimal(4), function="maximum"),
        Record(quantity="energy", unit="J", value=Decimal(5)),
        Record(quantity="energy", unit="Wh", value=None),
    )
    assert collection.readings(Telegram(records=records), NOW) == []


def test_a_value_with_more_digits_than_the_platform_keeps_is_said() -> None:
    for digits in ("9" * 19, "9" * 40, "9" * 30 + "E-12"):
        collection = Collection(rules=(ENERGY,), zone=ZoneInfo("UTC"))
        with pytest.raises(BadData, match="digits"):
            collection.readings(Telegram(records=(energy(digits),)), NOW)
