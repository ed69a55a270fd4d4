"""The client of the weather service against a service that answers, waits, breaks off and lies."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime

import numpy as np
import pytest

from analytics.calendar import from_us
from pipelines import clock
from pipelines.errors import SourceUnavailable
from pipelines.weather.cells import cell_of
from pipelines.weather.client import Archive, Patience
from tests.integration.weather_service import (
    WeatherService,
    answering,
    archive_answer,
    dripping,
    half_an_answer,
    hanging_up,
    weather_service,
)

LONDON = cell_of(51.509865, -0.118092)
DAY = date(2024, 3, 1)
HASTE = Patience(attempts=3, connect_s=2.0, silence_s=0.5, answer_s=1.5, answer_bytes=100_000)


@pytest.fixture
def service() -> Iterator[WeatherService]:
    with weather_service() as one:
        yield one


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def archive(service: WeatherService, pauses: list[float]) -> Iterator[Archive]:
    with Archive(service.url, HASTE, sleep=pauses.append, chance=lambda: 0.5) as one:
        yield one


def changed(**parts: object) -> bytes:
    query = {"start_date": "2024-03-01", "end_date": "2024-03-01"}
    return json.dumps(archive_answer(query, lambda _: 1.0) | parts).encode()


def test_the_hours_of_the_days_that_were_asked_for_are_returned(service: WeatherService, archive: Archive) -> None:
    hours = archive.hours(LONDON, DAY, date(2024, 3, 2))

    assert service.asked == [
        {
            "path": "/v1/archive",
            "latitude": "51.5",
            "longitude": "-0.1",
            "start_date": "2024-03-01",
            "end_date": "2024-03-02",
            "hourly": "temperature_2m",
            "timezone": "UTC",
        }
    ]
    assert hours.hour_us.size == 48
    assert from_us(int(hours.hour_us[0])) == datetime(2024, 3, 1, tzinfo=UTC)
    assert hours.temperature_c[:3].tolist() == [0.1, 0.6, 1.1]


def test_hours_that_the_service_does_not_know_are_nan(service: WeatherService, archive: Archive) -> None:
    service.temperature = lambda hour: None if hour.hour >= 20 else -1.5

    hours = archive.hours(LONDON, DAY, DAY)

    assert np.isnan(hours.temperature_c).tolist() == [False] * 20 + [True] * 4


def test_hours_that_are_left_out_are_unknown_and_others_than_asked_for_are_ignored(
    service: WeatherService, archive: Archive
) -> None:
    told = {"time": ["2024-02-29T23:00", "2024-03-01T05:00", "2024-03-02T00:00"], "temperature_2m": [1, 2, 3]}
    service.misbehaviours = [answering(200, changed(hourly=told))]

    hours = archive.hours(LONDON, DAY, DAY)

    assert hours.hour_us.size == 24
    assert np.flatnonzero(~np.isnan(hours.temperature_c)).tolist() == [5]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_passes_is_waited_for_longer_each_time(
    service: WeatherService, archive: Archive, pauses: list[float], status: int
) -> None:
    service.misbehaviours = [answering(status)] * 2

    assert archive.hours(LONDON, DAY, DAY).hour_us.size == 24
    assert pauses == [1.5, 3.0]
    assert archive.requests == len(service.asked) == 3


def test_the_service_is_left_alone_after_the_last_attempt(
    service: WeatherService, archive: Archive, pauses: list[float]
) -> None:
    service.misbehaviours = [answering(500)] * 9

    with pytest.raises(SourceUnavailable, match="it answered 500"):
        archive.hours(LONDON, DAY, DAY)
    assert len(service.asked) == 3
    assert len(pauses) == 2


@pytest.mark.parametrize(("text", "pause"), [("7", 7.0), ("0", 1.5), ("soon", 1.5), ("-3", 1.5)])
def test_a_wait_that_the_service_asks_for_is_kept(
    service: WeatherService, archive: Archive, pauses: list[float], text: str, pause: float
) -> None:
    service.misbehaviours = [answering(429, Retry_After=text)]

    archive.hours(LONDON, DAY, DAY)

    assert pauses == [pause]


def test_a_wait_may_be_given_as_a_date(service: WeatherService, archive: Archive, pauses: list[float]) -> None:
    clock.start_at(datetime(2026, 3, 1, 12, tzinfo=UTC))
    service.misbehaviours = [answering(503, Retry_After="Sun, 01 Mar 2026 12:00:30 GMT")]

    archive.hours(LONDON, DAY, DAY)

    assert pauses[0] == pytest.approx(30.0, abs=3.0)


def test_a_service_that_asks_for_a_long_wait_is_left_alone(
    service: WeatherService, archive: Archive, pauses: list[float]
) -> None:
    service.misbehaviours = [answering(429, Retry_After="86400")]

    with pytest.raises(SourceUnavailable, match="429"):
        archive.hours(LONDON, DAY, DAY)
    assert (len(service.asked), pauses) == (1, [])


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404])
def test_a_refusal_is_not_asked_for_again_and_its_reason_is_said(
    service: WeatherService, archive: Archive, status: int
) -> None:
    body = b'{"error": true, "reason": "Parameter start_date is out of range"}'
    service.misbehaviours = [answering(status, body, Location="http://127.0.0.1:1/")]

    with pytest.raises(SourceUnavailable, match=f"{status}: Parameter start_date is out of range"):
        archive.hours(LONDON, DAY, DAY)
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    "misbehaviour",
    [
        half_an_answer,
        hanging_up,
        answering(200),
        answering(200, b"<html>"),
        answering(200, b"[" * 50_000),
        answering(200, b"\xff\xfe"),
        answering(200, b"null"),
        answering(200, b"{}"),
        answering(200, b" " * 200_000),
        answering(200, changed(utc_offset_seconds=3600)),
        answering(200, changed(hourly_units={"temperature_2m": "°F"})),
        answering(200, changed(hourly_units=[])),
        answering(200, changed(hourly={})),
        answering(200, changed(hourly={"time": [], "temperature_2m": []})),
        answering(200, changed(hourly={"time": ["2024-03-01T00:00"], "temperature_2m": [1.0, 2.0]})),
        answering(200, changed(hourly={"time": ["2024-03-01T00:30"], "temperature_2m": [1.0]})),
        answering(200, changed(hourly={"time": ["2024-13-01T00:00"], "temperature_2m": [1.0]})),
        answering(200, changed(hourly={"time": [1709251200], "temperature_2m": [1.0]})),
        answering(200, changed(hourly={"time": ["2024-03-01T00:00"], "temperature_2m": ["1.0"]})),
        answering(200, changed(hourly={"time": ["2024-03-01T00:00"], "temperature_2m": [1e9]})),
        answering(200, changed(hourly={"time": ["2024-03-01T00:00"], "temperature_2m": [float("nan")]})),
        answering(200, changed(hourly={"time": ["2024-03-01T00:00"], "temperature_2m": [True]})),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_what_is_no_answer_is_asked_for_again_and_never_believed(
    service: WeatherService, archive: Archive, misbehaviour: object
) -> None:
    service.misbehaviours = [misbehaviour]  # type: ignore[list-item]
    once = archive.hours(LONDON, DAY, DAY)
    service.misbehaviours = [misbehaviour] * 3  # type: ignore[list-item]

    assert once.temperature_c[:2].tolist() == [0.1, 0.6]
    with pytest.raises(SourceUnavailable, match="the weather service failed"):
        archive.hours(LONDON, DAY, DAY)
    assert len(service.asked) == 5


@pytest.mark.parametrize("pause_s", [0.05, 5.0])
def test_an_answer_that_takes_too_long_is_given_up(
    service: WeatherService, archive: Archive, pause_s: float
) -> None:
    stop = threading.Event()
    service.misbehaviours = [dripping(pause_s, stop)]
    try:
        assert archive.hours(LONDON, DAY, DAY).hour_us.size == 24
    finally:
        stop.set()
    assert len(service.asked) == 2


def test_a_service_that_is_not_there_is_said(pauses: list[float]) -> None:
    with weather_service() as gone:
        url = gone.url

    with (
        Archive(url, HASTE, sleep=pauses.append) as archive,
        pytest.raises(SourceUnavailable, match="ConnectError"),
    ):
        archive.hours(LONDON, DAY, DAY)
    assert len(pauses) == 2
