"""The ledger keeps its three promises, whatever rows come: one reading per place, one per external id, nothing lost."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.erp.ledger import Entry, Ledger, german_day, instant_of, microseconds
from pipelines.erp.verdicts import Code, RowError

HOUR = 3_600_000_000
ENTRIES = st.builds(
    Entry,
    device_id=st.integers(1, 2),
    series_id=st.integers(1, 2),
    at_us=st.integers(0, 40).map(lambda n: n * 6 * HOUR),
    has_counter=st.booleans(),
    external_id=st.none() | st.sampled_from("abcde"),
    direction=st.sampled_from([None, "feed-in", "feed-out"]),
    reading_type=st.sampled_from([None, "x"]),
    value=st.just(Decimal(1)),
)


def _never(_entry: Entry) -> bool:
    return False


def _accepted(ledger: Ledger, kept: list[Entry], entry: Entry) -> bool:
    """Put an entry as a row does: change the one of its external id, else add it; say whether it was taken."""
    known = ledger.by_external_id(entry.device_id, entry.external_id)
    try:
        if known is not None:
            ledger.change(known, {"series_id": entry.series_id, "at_us": entry.at_us}, replaceable=_never)
            return False
        ledger.put(entry, replaceable=_never)
    except RowError as error:
        refused = error
    else:
        return True
    assert refused.code is Code.TIMESTAMP_TAKEN
    assert any(one.place == entry.place for one in kept)
    return False


@given(st.lists(ENTRIES, max_size=30), st.randoms(use_true_random=False))
def test_every_place_and_every_external_id_stands_once(entries: list[Entry], random: object) -> None:
    ledger, kept = Ledger(), list[Entry]()

    for entry in entries:
        if _accepted(ledger, kept, entry):
            kept.append(entry)
        if kept and random.random() < 0.2:  # type: ignore[attr-defined]
            gone = kept.pop(random.randrange(len(kept)))  # type: ignore[attr-defined]
            ledger.remove(gone)

    assert len({one.place for one in kept}) == len(kept)
    named = [(one.device_id, one.external_id) for one in kept if one.external_id is not None]
    assert len(set(named)) == len(named)
    assert {id(one) for one in ledger.touched} == {id(one) for one in kept}
    for group in {one.group for one in kept}:
        found = list(ledger.within(group, -1, 10**18))
        assert {id(one) for one in found} == {id(one) for one in kept if one.group == group}
        assert [one.at_us for one in found] == sorted(one.at_us for one in found)


@given(st.lists(ENTRIES, max_size=20, unique_by=lambda e: e.place), ENTRIES, st.sampled_from([1, 6, 24, 48]))
def test_a_duplicate_is_what_a_plain_search_finds(entries: list[Entry], new: Entry, window_h: int) -> None:
    ledger = Ledger()
    for entry in entries:
        entry.external_id = None
        ledger.add(entry)

    found = ledger.duplicate_of(new, window_h)

    near = [  # 1970 has no change of German time, so both clocks agree
        one
        for one in entries
        if one.group == new.group
        and one.reading_type == new.reading_type
        and abs(one.at_us - new.at_us) < window_h * HOUR
    ]
    assert (found is not None) == bool(near)
    assert found is None or found in near


@given(
    st.datetimes(
        min_value=instant_of(0).replace(tzinfo=None), max_value=instant_of(4 * 10**15).replace(tzinfo=None)
    )
)
def test_a_german_day_holds_its_instant_and_touches_its_neighbours(naive: object) -> None:
    at = instant_of(microseconds(naive.replace(tzinfo=instant_of(0).tzinfo)))  # type: ignore[attr-defined]

    start, end = german_day(at)

    assert start <= microseconds(at) < end
    assert end - start in {23 * HOUR, 24 * HOUR, 25 * HOUR}
    assert german_day(instant_of(end))[0] == end
    assert german_day(instant_of(start - 1))[1] == start


@pytest.mark.parametrize(("day", "hours"), [("2024-03-31", 23), ("2024-10-27", 25), ("2024-01-15", 24)])
def test_a_german_day_has_the_hours_it_has(day: str, hours: int) -> None:
    from datetime import datetime  # noqa: PLC0415

    start, end = german_day(datetime.fromisoformat(f"{day}T12:00:00+00:00"))

    assert (end - start) // HOUR == hours
