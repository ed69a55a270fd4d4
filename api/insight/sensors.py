"""``/sensors``: devices with data, their disaggregation and reports."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, Literal

import sqlalchemy as sa
from litestar import Response, Router, get

from analytics.disaggregation.months import PeriodResult
from analytics.reports import CarbonFactors
from api import shapes
from api.auth.access import SENSORS, AnyRequest, authorised, settings_of
from pipelines import clock
from pipelines.errors import NotFound, RejectedInput
from pipelines.insight import answers
from pipelines.insight.answers import Household, Period
from pipelines.insight.results import read_pieces
from pipelines.insight.surroundings import country_of

_HIGHEST_SENSOR = 2**31 - 1
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@contextmanager
def opened_household(request: AnyRequest, device_id: str) -> Iterator[tuple[sa.Connection, Household]]:
    """Open a unit of work on one of the caller's devices, which has sent at least one reading.

    Raises
    ------
    Unauthorized, NotFound, Forbidden
        No or wrong credentials; unknown, or another organization's; it has sent nothing yet.
    """
    with authorised(request, SENSORS) as (connection, principal):
        sensor = shapes.identifier(device_id, integer=True)
        if not isinstance(sensor, int) or sensor > _HIGHEST_SENSOR:
            raise NotFound
        zone = settings_of(request).default_meter_timezone
        yield connection, answers.household(connection, principal, sensor, zone)


def _whole(request: AnyRequest, name: str, low: int, high: int) -> int:
    number = shapes.whole_number(shapes.query_text(request, name) or "")
    if number is None or not low <= number <= high:
        raise RejectedInput({name: [f"Expected a whole number from {low} to {high}."]})
    return number


def _day(request: AnyRequest, name: str) -> date:
    text = shapes.query_text(request, name) or ""
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not 1970 <= day.year <= 2099:
        raise RejectedInput({name: ["Expected a date, YYYY-MM-DD, from 1970 to 2099."]})
    return day


def _month(request: AnyRequest) -> Period:
    return answers.month_period(_whole(request, "year", 1970, 2099), _whole(request, "month", 1, 12))


def _week(request: AnyRequest) -> Period:
    return answers.week_period(_day(request, "startDate"), _day(request, "endDate"))


def _unit(request: AnyRequest) -> Literal["kwh", "wh"]:
    unit = shapes.query_text(request, "unit") or "kwh"
    if unit == "kwh":
        return "kwh"
    if unit == "wh":
        return "wh"
    raise RejectedInput({"unit": ["Expected kwh or wh."]})


def _answer(
    request: AnyRequest,
    device_id: str,
    period: Callable[[AnyRequest], Period],
    shape: Callable[[PeriodResult, Period], dict[str, Any]],
) -> Response[bytes]:
    with opened_household(request, device_id) as (connection, home):
        chosen = period(request)
        result = answers.stored_result(connection, home, chosen, clock.now())
    return shapes.json_response(answers.with_quality(shape(result, chosen), result))


@get("/", name="sensors", sync_to_thread=True)
def list_sensors(request: AnyRequest) -> Response[bytes]:
    """List the ids of all devices that have sent at least one reading."""
    with authorised(request, SENSORS) as (connection, principal):
        return shapes.json_response(answers.sensors(connection, principal))


@get("/{device_id:str}", name="sensor", sync_to_thread=True)
def read_sensor(request: AnyRequest, device_id: str) -> Response[bytes]:
    """Return when a device was first and last heard of, and its zone."""
    with opened_household(request, device_id) as (_, home):
        pass
    return shapes.json_response(
        {
            "connection_state": None,
            "firmware": None,
            "last_event": shapes.utc_text(home.last_event),
            "first_event": shapes.utc_text(home.first_event),
            "locale": {
                "isoCountryCode": country_of(home.zone),
                "isoLocaleCode": None,
                "timeZoneId": str(home.zone),
                "userDefinedLanguage": None,
            },
        }
    )


@get("/{device_id:str}/sm/disag/month", name="disag-month", sync_to_thread=True)
def disag_month(request: AnyRequest, device_id: str) -> Response[bytes]:
    """Return a calendar month's energy per appliance class [Wh]."""
    return _answer(request, device_id, _month, lambda result, _: answers.disaggregation(result))


@get("/{device_id:str}/sm/disag/month/weeks", name="disag-month-weeks", sync_to_thread=True)
def disag_month_weeks(request: AnyRequest, device_id: str) -> Response[bytes]:
    """Return a calendar month by its Monday weeks, clipped to the month [Wh]."""
    return _answer(request, device_id, _month, lambda result, _: answers.weeks_of_month(result))


@get("/{device_id:str}/sm/disag/week", name="disag-week", sync_to_thread=True)
def disag_week(request: AnyRequest, device_id: str) -> Response[bytes]:
    """Return a Monday to Sunday week's energy per appliance class [Wh]."""
    return _answer(request, device_id, _week, lambda result, _: answers.disaggregation(result))


CYCLE_CLASSES = ("electric_vehicle", "boiler", "cooking", "washing")
"""Classes whose cycles are told apart; the first alone unless others are asked for."""


def _cycle_classes(request: AnyRequest) -> tuple[str, ...]:
    whole = shapes.query_text(request, "all") or "false"
    if whole not in {"true", "false"}:
        raise RejectedInput({"all": ["Expected true or false."]})
    asked = (shapes.query_text(request, "appliances") or "").split(",")
    further = [key.strip() for key in asked if key.strip()]
    if unknown := [key for key in further if key not in CYCLE_CLASSES]:
        raise RejectedInput({"appliances": [f"{unknown[0]!r} is none of {', '.join(CYCLE_CLASSES)}."]})
    return tuple(key for n, key in enumerate(CYCLE_CLASSES) if n == 0 or whole == "true" or key in further)


def _cycles(request: AnyRequest, device_id: str, period: Callable[[AnyRequest], Period]) -> Response[bytes]:
    with opened_household(request, device_id) as (connection, home):
        chosen, classes = period(request), _cycle_classes(request)
        result = answers.stored_result(connection, home, chosen, clock.now())
        pieces = read_pieces(connection, home.sensor_id, chosen.days.first, chosen.days.last)
    return shapes.json_response(answers.cycles(pieces, home.zone, result, classes))


@get("/{device_id:str}/sm/disag/cycles/monthly", name="cycles-monthly", sync_to_thread=True)
def cycles_monthly(request: AnyRequest, device_id: str) -> Response[bytes]:
    """Return the cycles of a calendar month: of the electric vehicle, and of classes that are asked for [Wh]."""
    return _cycles(request, device_id, _month)


@get("/{device_id:str}/sm/disag/cycles/weekly", name="cycles-weekly", sync_to_thread=True)
def cycles_weekly(request: AnyRequest, device_id: str) -> Response[bytes]:
    """Return the cycles of a Monday to Sunday week [Wh]."""
    return _cycles(request, device_id, _week)


def _report(request: AnyRequest, device_id: str, period: Callable[[AnyRequest], Period]) -> Response[bytes]:
    settings = settings_of(request)
    factors = CarbonFactors(kgco2_per_kwh=settings.carbon_kg_per_kwh, kgco2_per_tree_day=settings.tree_kg_per_day)
    return _answer(
        request,
        device_id,
        period,
        lambda result, chosen: answers.report(result, chosen.kind, unit=_unit(request), factors=factors),
    )


@get("/{device_id:str}/sm/reports/monthly", name="report-monthly", sync_to_thread=True)
def report_monthly(request: AnyRequest, device_id: str) -> Response[bytes]:
    """Return a calendar month's report: day by day, by appliance class, and its carbon footprint."""
    return _report(request, device_id, _month)


@get("/{device_id:str}/sm/reports/weekly", name="report-weekly", sync_to_thread=True)
def report_weekly(request: AnyRequest, device_id: str) -> Response[bytes]:
    """Return a Monday to Sunday week's report."""
    return _report(request, device_id, _week)


ROUTER = Router(
    "/sensors",
    route_handlers=[
        list_sensors,
        read_sensor,
        disag_month,
        disag_month_weeks,
        disag_week,
        cycles_monthly,
        cycles_weekly,
        report_monthly,
        report_weekly,
    ],
)
