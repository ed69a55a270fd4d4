"""DLMS/COSEM (IEC 62056): registers, load profiles, event log and clock over the TCP wrapper or HDLC."""

from collections.abc import Mapping
from typing import Any

from pipelines.amr.contract import CallSpec, Driver
from pipelines.amr.protocols.dlms.obis import PATTERN, obis_code, obis_text
from pipelines.amr.protocols.dlms.session import DlmsSession
from pipelines.amr.protocols.dlms.settings import ASSOCIATION_FIELDS, DEFAULT_PROFILE
from pipelines.fields import Field, Kind

_PROFILE = Field(
    name="profile",
    max_length=23,
    pattern=PATTERN,
    doc="The profile's OBIS code; default: 1-0:99.1.0, load profile 1.",
)
_OFFSET = Field(
    name="offset_seconds",
    kind=Kind.INTEGER,
    required=True,
    minimum=0,
    doc="How far back from the meter's now [s].",
)


def _profile_archive(arguments: Mapping[str, Any]) -> str:
    wanted = arguments.get("profile") or DEFAULT_PROFILE
    return f"profile {obis_text(obis_code(wanted))}"


DRIVER = Driver(
    protocol="dlms-cosem",
    execution_type="generic_dlms",
    calls={
        "read_registers": CallSpec(
            doc="Read single registers as they stand now.",
            fields=(
                Field(
                    name="registers",
                    kind=Kind.TEXTS,
                    required=True,
                    max_length=23,
                    pattern=PATTERN,
                    doc="OBIS codes.",
                ),
                *ASSOCIATION_FIELDS,
            ),
        ),
        "read_profile_by_date": CallSpec(
            doc="Read a load profile from a date to a date, oldest first; without an end, to the latest row.",
            fields=(
                Field(name="start_date", kind=Kind.LOCAL_DATETIME, required=True, doc="The first instant."),
                Field(name="end_date", kind=Kind.LOCAL_DATETIME, nullable=True, doc="The last instant."),
                _PROFILE,
                *ASSOCIATION_FIELDS,
            ),
            archive=_profile_archive,
        ),
        "read_profile_by_offset_seconds": CallSpec(
            doc="Read a load profile back from the meter's now, and further where rows are missing.",
            fields=(_OFFSET, _PROFILE, *ASSOCIATION_FIELDS),
            archive=_profile_archive,
        ),
        "read_events_by_offset_seconds": CallSpec(
            doc="Report the entries of the standard event log back from the meter's now.",
            fields=(_OFFSET, *ASSOCIATION_FIELDS),
        ),
        "set_time": CallSpec(
            doc="Set the meter's clock to now; with a limit, only where it is further off.",
            fields=(
                Field(
                    name="allowed_drift_seconds",
                    kind=Kind.INTEGER,
                    minimum=0,
                    nullable=True,
                    doc="A drift that is left alone [s].",
                ),
                *ASSOCIATION_FIELDS,
            ),
        ),
    },
    session=DlmsSession,
)
