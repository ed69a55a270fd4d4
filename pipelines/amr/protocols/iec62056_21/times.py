"""Date and time of IEC 62056-21 telegrams: with and without a mark of the season, in the meter's zone.

Source: IEC 62056-21 annex A; VDEW-Lastenheft 2.1 (leading season digit: 0 winter, 1 summer, 2 UTC); DSMR P1 5.0,
6.4 (trailing W and S).
"""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pipelines.amr.faults import BadData

_STAMP = re.compile(r"([012]?)([0-9]{6})([0-9]{4}(?:[0-9]{2})?)([WS]?)")
_TIME = re.compile(r"([012]?)([0-9]{2})(:?)([0-9]{2}):?([0-9]{2})")
_DATE = re.compile(r"([012]?)([0-9]{2})([-.]?)([0-9]{2})[-.]?([0-9]{2})")
_HOUR = timedelta(hours=1)
_SEASONS = {"0": "W", "1": "S", "2": "UTC"}


def stamp(text: str, zone: ZoneInfo, after: datetime | None = None) -> datetime | None:
    """Return the instant in UTC of ``[s]YYMMDDhhmm[ss][W|S]``, None if the text is none.

    Without a season, the first of two possible instants that is not before ``after``.
    """
    found = _STAMP.fullmatch(text)
    if found is None:
        return None
    digit, date, time, letter = found.groups()
    try:
        naive = datetime.strptime(date + time.ljust(6, "0"), "%y%m%d%H%M%S")  # noqa: DTZ007 - the zone follows
    except ValueError:
        return None
    return resolved(naive, zone, letter or _SEASONS.get(digit, ""), after)


def resolved(naive: datetime, zone: ZoneInfo, season: str = "", after: datetime | None = None) -> datetime:
    """Return the instant in UTC of a local time; ``season`` is "W", "S", "UTC" or unknown."""
    if season == "UTC":
        return naive.replace(tzinfo=UTC)
    if season:
        return naive.replace(tzinfo=UTC) - _seasonal_offset(naive.year, zone, season)
    first = naive.replace(tzinfo=zone).astimezone(UTC)
    return first if after is None or first >= after else naive.replace(tzinfo=zone, fold=1).astimezone(UTC)


def clock(time_text: str, date_text: str, zone: ZoneInfo) -> datetime:
    """Return the instant in UTC of a meter's time (0.9.1) and date (0.9.2).

    Raises
    ------
    BadData
        They are none.
    """
    time, date = _TIME.fullmatch(time_text), _DATE.fullmatch(date_text)
    if time is None or date is None:
        raise BadData(f"{date_text[:20]!r} and {time_text[:20]!r} are no date and time")
    digits = date[2] + date[4] + date[5] + time[2] + time[4] + time[5]
    try:
        naive = datetime.strptime(digits, "%y%m%d%H%M%S")  # noqa: DTZ007 - the zone follows
    except ValueError:
        raise BadData(f"{date_text!r} and {time_text!r} are no date and time") from None
    return resolved(naive, zone, _SEASONS.get(time[1] or date[1], ""))


def written_like(at: datetime, zone: ZoneInfo, time_text: str, date_text: str) -> tuple[str, str]:
    """Return (time, date) of an instant in the form in which the meter showed its own.

    Raises
    ------
    BadData
        What the meter showed has no form that is known.
    """
    time, date = _TIME.fullmatch(time_text), _DATE.fullmatch(date_text)
    if time is None or date is None:
        raise BadData(f"{date_text[:20]!r} and {time_text[:20]!r} are no date and time")
    local = at.astimezone(zone)
    season = "1" if local.dst() else "0"
    if "2" in {time[1], date[1]}:
        local, season = at.astimezone(UTC), "2"
    colon, dash = time[3], date[3]
    return (
        f"{season if time[1] else ''}{local:%H}{colon}{local:%M}{colon}{local:%S}",
        f"{season if date[1] else ''}{local:%y}{dash}{local:%m}{dash}{local:%d}",
    )


def _seasonal_offset(year: int, zone: ZoneInfo, season: str) -> timedelta:
    """Return the offset of the zone's winter or summer; one that knows no summer time is an hour ahead then."""
    edges = [datetime(year, month, 1, 12, tzinfo=zone).utcoffset() or timedelta(0) for month in (1, 7)]
    winter, summer = min(edges), max(edges)
    if season == "W":
        return winter
    return summer if summer != winter else winter + _HOUR
