"""LIS-200: volume converters and data loggers of Elster and Honeywell (EK280, DL230), over IEC 62056-21 messages."""

from pipelines.amr.contract import CallSpec, Driver
from pipelines.amr.protocols.lis200.session import Lis200Session
from pipelines.fields import Field, Kind

_MODEL = Field(name="model", max_length=50, doc="Model file; by default that of the meter's type, else generic.")
_ARCHIVE = (
    Field(name="archive_number", kind=Kind.INTEGER, required=True, minimum=1, maximum=99),
    Field(
        name="control_position",
        kind=Kind.INTEGER,
        required=True,
        minimum=1,
        maximum=99,
        doc="Column of the archive, from 1, that the range is meant for: that of the time.",
    ),
    _MODEL,
)

DRIVER = Driver(
    protocol="lis-200",
    execution_type="generic_lis200",
    calls={
        "read_single_value": CallSpec(
            doc="Read one value; its time is that of the meter's clock.",
            fields=(
                Field(
                    name="address",
                    required=True,
                    pattern=r"[0-9]{1,3}:[0-9A-Za-z_]{1,8}(\.[0-9A-Za-z])?",
                    doc="Address of the value, such as 2:302.0.",
                ),
                _MODEL,
            ),
        ),
        "read_archive_by_date": CallSpec(
            doc="Read an archive from start to end, oldest row first; without an end to the latest row.",
            fields=(
                Field(name="start_date", kind=Kind.LOCAL_DATETIME, required=True),
                Field(name="end_date", kind=Kind.LOCAL_DATETIME, nullable=True),
                *_ARCHIVE,
            ),
            archive=lambda arguments: f"archive {arguments['archive_number']}",
        ),
        "read_archive_by_offset_seconds": CallSpec(
            doc="Read an archive from so many seconds before the meter's now, and from what is still missing.",
            fields=(
                Field(name="offset_seconds", kind=Kind.INTEGER, required=True, minimum=0),
                *_ARCHIVE,
            ),
            archive=lambda arguments: f"archive {arguments['archive_number']}",
        ),
        "set_time": CallSpec(doc="Set the meter's clock to ours.", fields=(_MODEL,)),
    },
    session=Lis200Session,
)

__all__ = ["DRIVER"]
