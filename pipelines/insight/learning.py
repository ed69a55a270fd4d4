"""What later months learned from days that changed: their statistics made anew, results that learned others noted.

A result learns from the daily statistics of the 13 months before it. Where these are others after a change of
energy, and only there, the results of later months go into the log of changed days and are computed again.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from analytics.calendar import DayRange
from pipelines.db.engine import raw
from pipelines.insight.due import months_before
from pipelines.insight.history import HISTORY_MONTHS, MONTHS_AT_ONCE, encode, first_days, make_statistics

_FOR_EVER = date(9000, 1, 1)

# A result that is in the log already is not noted twice.
_NOTE = f"""
    INSERT INTO wattloom.day_change (device_id, first_day, last_day)
    SELECT s.device_id, s.first_day, s.last_day
    FROM (
        SELECT k.device_id, min(r.month) AS first_day, (max(r.month) + interval '1 month')::date - 1 AS last_day
        FROM unnest(%(device)s::int4[], %(first)s::date[], %(last)s::date[]) WITH ORDINALITY
            AS k (device_id, first, last, n)
        JOIN wattloom.disaggregation_month AS r ON r.device_id = k.device_id
            AND r.month > k.first AND r.month <= k.last + interval '{HISTORY_MONTHS} months'
        GROUP BY k.device_id, k.n
    ) AS s
    WHERE NOT EXISTS (SELECT FROM wattloom.day_change AS c WHERE c.device_id = s.device_id
                      AND c.first_day <= s.first_day AND c.last_day >= s.last_day)
    ORDER BY s.device_id, s.first_day
"""


class Touched(NamedTuple):
    """Local days of a device whose energy was rolled up again."""

    device: int
    days: DayRange


class _Months(NamedTuple):
    """Months of a device, first and last included, whose statistics are others than before."""

    device: int
    first: date
    last: date


def teach_anew(
    connection: sa.Connection, touched: Sequence[Touched], zones: Mapping[int, ZoneInfo], began: Mapping[int, date]
) -> None:
    """Make the statistics of touched months anew and note the results that had learned other ones.

    Parameters
    ----------
    touched : sequence of Touched
        Already rolled up, in this transaction.
    began : mapping of device to date
        What `first_days` said before that.
    """
    months = sorted({(one.device, at) for one in touched for at in _months_of(one.days)})
    begins = first_days(connection, sorted({one.device for one in touched}))
    changed = _renew(connection, months, zones, begins)
    for device in sorted({one.device for one in touched} & set(began)):
        before = began[device].replace(day=1)
        now = begins[device].replace(day=1) if device in begins else _FOR_EVER
        if now > before:
            raw(connection).execute(
                "DELETE FROM wattloom.home_month_statistics WHERE device_id = %s AND month < %s", (device, now)
            )
        if now != before:
            # The months between were part of what was learned, or will be, be they ever so empty.
            changed.append(_Months(device, min(before, now), max(before, now)))
    if not changed:
        return
    raw(connection).execute(
        _NOTE.encode(),
        {
            "device": [one.device for one in changed],
            "first": [one.first for one in changed],
            "last": [one.last for one in changed],
        },
    )


def _months_of(days: DayRange) -> Iterator[date]:
    month = days.first.replace(day=1)
    while month <= days.last:
        yield month
        month = months_before(month, -1)


def _renew(
    connection: sa.Connection,
    months: Sequence[tuple[int, date]],
    zones: Mapping[int, ZoneInfo],
    begins: Mapping[int, date],
) -> list[_Months]:
    """Make statistics that are stored anew; return the months where they are others, or where none are stored.

    A month without any was before the first day of the home when later results learned nothing of it.
    """
    rows = (
        raw(connection)
        .cursor(binary=True)
        .execute(
            "SELECT h.device_id, h.month, h.days FROM unnest(%s::int4[], %s::date[]) AS k (device_id, month)"
            " JOIN wattloom.home_month_statistics AS h USING (device_id, month)",
            ([device for device, _ in months], [at for _, at in months]),
        )
    )
    stored: dict[tuple[int, date], bytes] = {(device, at): days for device, at, days in rows}
    learned = [key for key in months if key[0] in begins and key[1] >= begins[key[0]].replace(day=1)]
    others = [key for key in learned if key not in stored]
    kept = [key for key in learned if key in stored]
    for first in range(0, len(kept), MONTHS_AT_ONCE):
        wanted = kept[first : first + MONTHS_AT_ONCE]
        made = make_statistics(connection, wanted, [zones[device] for device, _ in wanted])
        others += [key for key, days in zip(wanted, made, strict=True) if encode(days) != stored[key]]
    return list(_joined(sorted(others)))


def _joined(months: Sequence[tuple[int, date]]) -> Iterator[_Months]:
    """Return sorted months with those that follow each other as one span."""
    span: _Months | None = None
    for device, month in months:
        if span is not None and (device, month) == (span.device, months_before(span.last, -1)):
            span = span._replace(last=month)
        else:
            if span is not None:
                yield span
            span = _Months(device, month, month)
    if span is not None:
        yield span
