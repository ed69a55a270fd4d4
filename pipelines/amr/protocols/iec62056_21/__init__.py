"""IEC 62056-21 in mode C, over a TCP gateway: data readout, registers, load profiles, clock; and P1 telegrams."""

from pipelines.amr.contract import CallSpec, Driver
from pipelines.amr.protocols.iec62056_21.session import PROFILE, Iec62056Session
from pipelines.fields import Field, Kind

_MODEL = Field(name="model", max_length=50, doc="Model file; by default that of the meter's type, else generic.")
_PROFILE = Field(name="profile", pattern=r"[0-9A-Z.:-]{1,16}", doc="Load profile, by default P.01.")

DRIVER = Driver(
    protocol="iec62056-21",
    execution_type="generic_iec6205621",
    calls={
        "read_values": CallSpec(
            doc="Read the meter's table of current values (data readout).",
            fields=(
                _MODEL,
                Field(name="table", kind=Kind.INTEGER, minimum=1, maximum=9, doc="Table to read, by default /?."),
            ),
        ),
        "read_registers": CallSpec(
            doc="Read registers one by one; those that the meter refuses do not keep the others from being stored.",
            fields=(
                Field(
                    name="registers",
                    kind=Kind.TEXTS,
                    required=True,
                    pattern=r"[0-9A-Za-z.:*&_-]{1,32}",
                    doc="Addresses, such as 1.8.0 or 1-0:1.8.0.",
                ),
                _MODEL,
            ),
        ),
        "read_profile_by_date": CallSpec(
            doc="Read a load profile from start to end, oldest value first; without an end to the latest value.",
            fields=(
                Field(name="start_date", kind=Kind.LOCAL_DATETIME, required=True),
                Field(name="end_date", kind=Kind.LOCAL_DATETIME, nullable=True),
                _PROFILE,
                _MODEL,
            ),
            archive=lambda arguments: f"profile {arguments.get('profile') or PROFILE}",
        ),
        "read_profile_by_offset_seconds": CallSpec(
            doc="Read a load profile from so many seconds before the meter's now, and from what is still missing.",
            fields=(
                Field(name="offset_seconds", kind=Kind.INTEGER, required=True, minimum=0),
                _PROFILE,
                _MODEL,
            ),
            archive=lambda arguments: f"profile {arguments.get('profile') or PROFILE}",
        ),
        "set_time": CallSpec(
            doc="Set the meter's clock to ours, if it drifted further than allowed.",
            fields=(Field(name="allowed_drift_seconds", kind=Kind.INTEGER, minimum=0), _MODEL),
        ),
    },
    session=Iec62056Session,
)

__all__ = ["DRIVER"]
