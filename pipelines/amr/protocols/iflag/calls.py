"""The calls of a Corus with their arguments, as the API documents and checks them."""

from collections.abc import Mapping
from typing import Any

from pipelines.amr.contract import CallSpec
from pipelines.fields import Field, Kind

PARAMETERS = (
    "index_unconverted",
    "index_converted",
    "datetime",
    "battery_days",
    "input_pulse_weight",
    "parameter_mapping_version",
    "temperature",
    "temperature_base",
    "temperature_limit_low",
    "temperature_limit_high",
    "pressure",
    "pressure_base",
    "pressure_limit_low",
    "pressure_limit_high",
    "pressure_2",
    "flowrate_unconverted",
    "flowrate_converted",
    "compressibility_formula",
    "firmware_version",
    "kernel_version",
)
DATABASES = ("interval", "hourly", "daily", "monthly")

_MODEL = Field(
    name="model",
    max_length=50,
    doc="The model file to read by; without it the meter's own parameter mapping decides, then its device type.",
)
_DATABASE = Field(name="database", required=True, choices=DATABASES, doc="One of " + ", ".join(DATABASES) + ".")


def _archive(arguments: Mapping[str, Any]) -> str:
    return f"database {arguments['database']}"


CALLS: Mapping[str, CallSpec] = {
    "read_parameters": CallSpec(
        doc="Read parameters as they are now. Numbers become readings, texts become events of the meter.",
        fields=(
            Field(
                name="parameters",
                kind=Kind.TEXTS,
                required=True,
                doc="Which to read: " + ", ".join(PARAMETERS) + ".",
            ),
            _MODEL,
        ),
    ),
    "read_database": CallSpec(
        doc="Read a database backwards, from the newest record asked for to the oldest; without dates, all of it.",
        fields=(
            Field(
                name="start_date",
                kind=Kind.LOCAL_DATETIME,
                doc="Where reading starts: the NEWEST record. Without a zone it is the meter's own time.",
            ),
            Field(
                name="end_date",
                kind=Kind.LOCAL_DATETIME,
                doc="Where reading ends: the OLDEST record. Without a zone it is the meter's own time.",
            ),
            _DATABASE,
            _MODEL,
        ),
        archive=_archive,
    ),
    "read_database_by_offset_seconds": CallSpec(
        doc="Read the records of the last seconds, and further back where earlier ones are still missing.",
        fields=(
            Field(
                name="offset_seconds",
                kind=Kind.INTEGER,
                required=True,
                minimum=0,
                doc="How far back from the meter's clock [s].",
            ),
            _DATABASE,
            _MODEL,
        ),
        archive=_archive,
    ),
    "set_time": CallSpec(
        doc="Set the meter's clock to now, if it is further off than allowed.",
        fields=(
            Field(
                name="allowed_drift_seconds",
                kind=Kind.INTEGER,
                required=True,
                minimum=0,
                doc="How far the clock may be off without being set [s].",
            ),
            _MODEL,
        ),
    ),
}
