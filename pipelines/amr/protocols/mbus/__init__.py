"""M-Bus (EN 13757-2 and -3) over a transparent TCP gateway: readout, stored values, setting of the clock."""

from pipelines.amr.contract import CallSpec, Driver
from pipelines.amr.protocols.mbus.session import DEFAULT_TELEGRAMS, MbusSession
from pipelines.fields import Field, Kind

_ADDRESS = (
    Field(
        name="primary_address",
        kind=Kind.INTEGER,
        minimum=0,
        maximum=250,
        doc="Primary address on the bus, 0 to 250.",
    ),
    Field(
        name="secondary_address",
        pattern="[0-9Ff]{8}([0-9A-Fa-f]{8})?",
        doc="Identification number of 8 digits; after it, at will, manufacturer, version and medium as 8 hexadecimal "
        "characters in the order of the telegram. F stands for any digit. Without an address the meter's serial "
        "number of 8 digits is the secondary address.",
    ),
)

DRIVER = Driver(
    protocol="mbus",
    execution_type="generic_mbus",
    calls={
        "read_values": CallSpec(
            doc="Read the meter's telegrams and keep what its model names.",
            fields=(
                *_ADDRESS,
                Field(name="model", doc="Model file; without it that of the device type, else the default rules."),
                Field(
                    name="telegrams",
                    kind=Kind.INTEGER,
                    minimum=1,
                    maximum=64,
                    doc=f"Most telegrams of one readout; {DEFAULT_TELEGRAMS} if left out.",
                ),
                Field(name="history", kind=Kind.BOOLEAN, doc="Keep stored values with their own dates as well."),
                Field(
                    name="align_seconds",
                    kind=Kind.INTEGER,
                    minimum=1,
                    maximum=86_400,
                    doc="Round the time of present values down to this grid [s].",
                ),
            ),
        ),
        "set_time": CallSpec(
            doc="Set the meter's clock to the nearest minute.",
            fields=(
                *_ADDRESS,
                Field(
                    name="allowed_drift_seconds",
                    kind=Kind.INTEGER,
                    minimum=0,
                    doc="Set the clock only if it is wrong by more [s].",
                ),
            ),
        ),
    },
    session=MbusSession,
)
