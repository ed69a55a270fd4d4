"""An archive of hourly temperatures in Open-Meteo's format, asked over HTTP with patience and without trust."""

import json
import math
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any

import httpx
import numpy as np

from analytics.calendar import to_us
from analytics.temperatures import HOUR_US
from pipelines import clock
from pipelines.errors import SourceUnavailable
from pipelines.weather.cells import Cell
from pipelines.weather.files import COLDEST_C, WARMEST_C
from pipelines.weather.store import Hours, Source

VARIABLE = "temperature_2m"
_HOUR = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:00")
_WAITS = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT}
_SHOWN = 200


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How often and how long the service is asked.

    Parameters
    ----------
    attempts : int
        Of one request.
    pause_s, longest_pause_s : float, [s]
        Before the second attempt, doubled each time, half of it by chance; and never longer than this. A service
        that asks for a longer one is left alone until the next run.
    connect_s, silence_s, answer_s : float, [s]
        Longest wait for a connection, between two parts of an answer, and for all of it.
    answer_bytes : int
        Largest answer; a year of hours is about 0.3 MB.
    """

    attempts: int = 5
    pause_s: float = 2.0
    longest_pause_s: float = 60.0
    connect_s: float = 10.0
    silence_s: float = 30.0
    answer_s: float = 60.0
    answer_bytes: int = 8_000_000


class _Faulty(Exception):
    """An attempt failed in a way that another one may mend."""

    def __init__(self, reason: str, *, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(reason)


class Archive:
    """A connection to the service; a context manager.

    Parameters
    ----------
    url : str
        Of the archive, without a query.
    sleep, chance
        How it waits, and where its jitter comes from (0 to 1).
    """

    def __init__(
        self,
        url: str,
        patience: Patience | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._url = url
        self._patience = patience or Patience()
        self._sleep, self._chance = sleep, chance
        waits = httpx.Timeout(self._patience.silence_s, connect=self._patience.connect_s)
        self._client = httpx.Client(
            timeout=waits, headers={"User-Agent": "wattloom", "Accept": "application/json"}
        )
        self.requests = 0

    def __enter__(self) -> "Archive":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def hours(self, cell: Cell, first: date, last: date) -> Hours:
        """Return the hours of the UTC days from the first to the last, NaN where the service knows nothing.

        Raises
        ------
        SourceUnavailable
            The service did not answer in time, or not with temperatures, after several attempts.
        """
        for attempt in range(1, self._patience.attempts + 1):
            self.requests += 1
            try:
                return temperatures(self._answer(cell, first, last), first, last)
            except _Faulty as fault:
                pause = self._pause_s(attempt, fault.retry_after_s)
                if attempt == self._patience.attempts or pause > self._patience.longest_pause_s:
                    raise SourceUnavailable(f"the weather service failed: {fault}") from None
                self._sleep(pause)
        raise AssertionError("unreachable")

    def _pause_s(self, attempt: int, asked_s: float | None) -> float:
        longest = min(self._patience.pause_s * 2.0 ** (attempt - 1), self._patience.longest_pause_s)
        return max(longest * (0.5 + 0.5 * self._chance()), asked_s or 0.0)

    def _answer(self, cell: Cell, first: date, last: date) -> Any:
        query = {
            "latitude": str(cell.latitude),
            "longitude": str(cell.longitude),
            "start_date": first.isoformat(),
            "end_date": last.isoformat(),
            "hourly": VARIABLE,
            "timezone": "UTC",
        }
        deadline = time.monotonic() + self._patience.answer_s
        body = bytearray()
        try:
            with self._client.stream("GET", self._url, params=query) as answer:
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > self._patience.answer_bytes:
                        raise _Faulty(f"it answered with more than {self._patience.answer_bytes} bytes")
                    if time.monotonic() > deadline:
                        raise _Faulty(f"its answer took more than {self._patience.answer_s:g} s")
        except httpx.HTTPError as error:
            raise _Faulty(f"{type(error).__name__} {error}".strip()) from None
        if answer.status_code == HTTPStatus.OK:
            return _decoded(bytes(body))
        said = f"it answered {answer.status_code}{_reason(bytes(body))}"
        if answer.status_code in _WAITS or answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _Faulty(said, retry_after_s=_retry_after_s(answer.headers.get("retry-after")))
        raise SourceUnavailable(f"the weather service refused: {said}")


def _retry_after_s(text: str | None) -> float | None:
    if text is None:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max((at.replace(tzinfo=at.tzinfo or UTC) - clock.now()).total_seconds(), 0.0)


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise _Faulty("its answer is no JSON, or only a part of it") from None


def _reason(body: bytes) -> str:
    try:
        return f": {str(json.loads(body)['reason'])[:_SHOWN]}"
    except (ValueError, RecursionError, LookupError, TypeError):
        return ""


def temperatures(document: Any, first: date, last: date) -> Hours:
    """Return every hour of the days that were asked for, NaN where the answer knows nothing of it.

    Raises
    ------
    _Faulty
        The answer is not what was asked for; the reason says why.
    """
    if not isinstance(document, dict) or not isinstance(document.get("hourly"), dict):
        raise _Faulty("its answer has no hours")
    unit = (
        (document.get("hourly_units") or {}).get(VARIABLE, "°C") if _is_object(document, "hourly_units") else None
    )
    if unit != "°C" or document.get("utc_offset_seconds", 0) != 0:
        raise _Faulty("its answer is not in °C and UTC")
    times, values = document["hourly"].get("time"), document["hourly"].get(VARIABLE)
    if not isinstance(times, list) or not isinstance(values, list) or len(times) != len(values):
        raise _Faulty("its answer has not one temperature for each hour")
    start = to_us(datetime.combine(first, datetime.min.time(), UTC))
    end = to_us(datetime.combine(last + timedelta(days=1), datetime.min.time(), UTC))
    told = {_hour_us(at): _temperature(value) for at, value in zip(times, values, strict=True)}
    hour_us = np.arange(start, end, HOUR_US, dtype=np.int64)
    if told.keys().isdisjoint(hour_us.tolist()):
        raise _Faulty("its answer has none of the hours that were asked for")
    return Hours(
        hour_us=hour_us,
        temperature_c=np.array([told.get(hour, math.nan) for hour in hour_us.tolist()], dtype=np.float64),
        source=np.full(hour_us.size, int(Source.REANALYSIS), dtype=np.int8),
    )


def _is_object(document: dict[str, Any], name: str) -> bool:
    return isinstance(document.get(name, {}), dict)


def _hour_us(text: Any) -> int:
    try:
        if isinstance(text, str) and _HOUR.fullmatch(text):
            return to_us(datetime.fromisoformat(text).replace(tzinfo=UTC))
    except ValueError:
        pass
    raise _Faulty(f"its answer has an hour that is none: {str(text)[:30]!r}")


def _temperature(value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float) or not COLDEST_C <= value <= WARMEST_C:
        raise _Faulty(f"its answer has a temperature that is none: {str(value)[:30]!r}")
    return float(value)
