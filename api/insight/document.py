"""The answers of ``/sensors/{id}/sm/*`` as JSON schemas, with an example each."""

from typing import Any

from analytics.disaggregation.classes import CLASSES
from analytics.disaggregation.months import WARNINGS, WITHOUT_LIST

Schema = dict[str, Any]

KEYS = sorted({*CLASSES, *WITHOUT_LIST})
_ENERGY: Schema = {"type": "number", "description": "Wh, 3 decimals"}
_PERCENT: Schema = {"type": "number", "description": "share of expected intervals not measured [%]"}
_KEY: Schema = {"type": "string", "enum": KEYS}
_DATE: Schema = {"type": "string", "format": "date"}


def _object(properties: Schema, example: Any = None) -> Schema:
    schema: Schema = {"type": "object", "properties": properties}
    return schema if example is None else {**schema, "example": example}


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item}


_APPLIANCES = _list(_object({"appliance_key": _KEY, "consumption": _ENERGY}))
_BOUNDED = _object(
    {
        "appliance_key": _KEY,
        "consumption": _ENERGY,
        "lower": {
            **_ENERGY,
            "description": "lower end of the range that holds it with about 80 % probability [Wh]",
        },
        "upper": {**_ENERGY, "description": "upper end of that range [Wh]"},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
    }
)
QUALITY = _object(
    {
        "disconnection_percentage": _PERCENT,
        "warnings": _list(
            _object({"code": {"type": "string", "enum": list(WARNINGS)}, "detail": {"type": "string"}})
        ),
        "months": _list(
            _object(
                {
                    "month": {"type": "string", "description": "YYYY-MM, a month the period was computed with"},
                    "model_version": {"type": "string"},
                    "appliances": _list(_BOUNDED),
                }
            )
        ),
    },
    {
        "disconnection_percentage": 0.0,
        "warnings": [{"code": "no_appliance_list", "detail": WARNINGS["no_appliance_list"]}],
        "months": [
            {
                "month": "2024-07",
                "model_version": "2.0.0",
                "appliances": [
                    {
                        "appliance_key": "fridge",
                        "consumption": 30511.204,
                        "lower": 22820.5,
                        "upper": 38202.1,
                        "confidence": 0.81,
                    }
                ],
            }
        ],
    },
)
_ADDED: Schema = {"model_version": {"type": "string"}, "quality": QUALITY}
_TOTALS: Schema = {"total_consumption": _ENERGY, "disconnection_percentage": _PERCENT}

DISAGGREGATION = _object({**_TOTALS, "appliances": _APPLIANCES, **_ADDED})
_WEEK = _object({"from": _DATE, "to": _DATE, "total_consumption": _ENERGY, "appliances": _APPLIANCES})
WEEKS = _object({**_TOTALS, "weeks": _list(_WEEK), **_ADDED})

_LOCAL: Schema = {"type": "string", "description": "the home's local time, without an offset"}
_INSTANT: Schema = {"type": "string", "format": "date-time"}
_CYCLE = _object(
    {"from": _LOCAL, "to": _LOCAL, "consumption": _ENERGY, "from_utc": _INSTANT, "to_utc": _INSTANT},
    {
        "from": "2024-07-12T20:17:24",
        "to": "2024-07-12T22:48:14",
        "consumption": 1078.17,
        "from_utc": "2024-07-12T19:17:24Z",
        "to_utc": "2024-07-12T21:48:14Z",
    },
)
CYCLES = _list(_object({"appliance_key": _KEY, "total_consumption": _ENERGY, "cycles": _list(_CYCLE), **_ADDED}))

_DAY = _object({"day": _DATE, "total_consumption": {"type": "number"}, "weekend": {"type": "boolean"}})
REPORT = _object(
    {
        "day_by_day_metrics": _object(
            {
                "days_without_consumption": {"type": "integer"},
                "total_consumed_on_week_days": {"type": "number"},
                "total_consumed_on_weekend_days": {"type": "number"},
                "days": _list(_DAY),
            }
        ),
        "disaggregation_metrics": _object({**_TOTALS, "appliances": _APPLIANCES}),
        "carbon_footprint": _object({"kgco2": {"type": "number"}, "trees": {"type": "number"}}),
        "units": {"type": "object"},
        "version": {"type": "integer"},
        **_ADDED,
    }
)
