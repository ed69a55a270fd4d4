"""How messages become batches, and batches deliveries."""

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.series import Direction, energy_series
from pipelines.metering.batches import NamedReadings
from pipelines.mqtt.directory import Place, _place
from pipelines.mqtt.inbox import BATCH_BYTES, Inbox
from pipelines.mqtt.messages import Message, Reading
from pipelines.mqtt.store import _Columns, _converted, _turns
from pipelines.mqtt.subscriber import Pause


def message(payload: bytes = b"{}", topic: str = "v1/c/readings") -> Message:
    return Message(
        topic=topic,
        payload=payload,
        size_bytes=len(payload),
        qos=1,
        mid=1,
        is_repeated=False,
        link=1,
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("topic", "client"),
    [
        ("v1/c/readings", "c"),
        (f"v1/{'x' * 64}/readings", "x" * 64),
        (f"v1/{'x' * 65}/readings", None),
        ("v1//readings", None),
        ("v2/c/readings", None),
        ("v1/c/reading", None),
        ("v1/c/readings/", None),
        ("", None),
    ],
)
def test_the_topic_names_the_client(topic, client):
    assert message(topic=topic).client_id == client


def test_a_batch_is_full_by_number_or_by_bytes():
    inbox = Inbox(3)
    for number in range(5):
        assert inbox.has_room() is (number < 3)
        inbox.put(message())
    assert [len(inbox.take()), inbox.has_room(), len(inbox.take()), len(inbox)] == [3, True, 2, 0]
    inbox.put(message(b"x" * BATCH_BYTES))
    assert not inbox.has_room()
    inbox.put(message())
    assert [len(inbox.take()), len(inbox.take()), len(inbox.take())] == [1, 1, 0]
    assert inbox.has_room()


def test_pauses_double_with_jitter_up_to_half_a_minute():
    pause = Pause()
    for expected in (0.5, 1, 2, 4, 8, 16, 30, 30):
        assert expected / 2 <= pause.next_s() <= expected


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("Wh", "1250.5"),
        ("kWh", "1.2505"),
        ("MWh", "0.0012505"),
        ("J", "4501800"),
        ("MJ", "4.5018"),
        ("GJ", "0.0045018"),
    ],
)
def test_energy_is_converted_exactly(unit, value):
    energy = energy_series("1-0:1.29.0", unit, None)
    assert energy is not None
    reading = Reading(None, "m", Direction.IMPORT, 0, 12505, 1)
    mantissa, scale = _converted(reading, _place("m", "s", energy)) or (0, 0)
    assert Decimal(mantissa).scaleb(-scale) == Decimal(value)


def test_a_value_that_does_not_fit_its_unit_is_refused():
    place = Place(meter="m", series="s", shift=6)
    assert _converted(Reading(None, "m", Direction.IMPORT, 0, 1, 7), place) is None
    assert _converted(Reading(None, "m", Direction.IMPORT, 0, 10, 7), place) == (1, 12)
    assert (
        _converted(Reading(None, "m", Direction.IMPORT, 0, 10**17, 0), Place(meter="m", series="s", factor=36))
        is None
    )


def columns(rows: list[tuple[int, int, int, int]]) -> _Columns:
    """Return rows of (message, pair, time, value); messages in order."""
    return _Columns(
        batch=NamedReadings(
            pairs=[("m", str(n)) for n in range(3)],
            pair=np.array([row[1] for row in rows], dtype=np.int32),
            times_us=np.array([row[2] for row in rows], dtype=np.int64),
            mantissa=np.array([row[3] for row in rows], dtype=np.int64),
            scale=np.zeros(len(rows), dtype=np.int16),
        ),
        message=np.array([row[0] for row in rows], dtype=np.intp),
        index=[None] * len(rows),
    )


_ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 2), st.integers(0, 3)), max_size=30
).map(lambda rows: sorted(rows, key=lambda row: row[0]))


@settings(max_examples=500, deadline=None)
@given(_ROWS)
def test_a_correction_comes_in_a_later_delivery_than_what_it_corrects(rows):
    turns = _turns(columns(rows))
    number = {int(row): place for place, turn in enumerate(turns) for row in turn}
    assert sorted(number) == list(range(len(rows)))
    assert all(list(turn) == sorted(turn) and len(turn) for turn in turns)
    for later, (message_, pair, at, value) in enumerate(rows):
        before = [n for n in range(later) if rows[n][1:3] == (pair, at)]
        if not before:
            assert number[later] == 0
            continue
        corrects = rows[before[-1]][0] != message_ and rows[before[-1]][3] != value
        assert number[later] == number[before[-1]] + corrects
