"""Modbus over TCP: the registers that a model file names, as readings of now."""

from pipelines.amr.contract import CallSpec, Driver
from pipelines.amr.protocols.modbus.session import ModbusSession
from pipelines.fields import Field, Kind

DRIVER = Driver(
    protocol="modbus",
    execution_type="generic_modbus",
    calls={
        "read_registers": CallSpec(
            doc="Read the registers of the meter's model and keep them as readings of now.",
            fields=(
                Field(name="model", doc="Model file; without it that of the device type."),
                Field(
                    name="unit",
                    kind=Kind.INTEGER,
                    minimum=0,
                    maximum=255,
                    doc="Unit identifier behind a gateway; that of the model if left out.",
                ),
                Field(name="registers", kind=Kind.TEXTS, doc="Names of the series to read; all if left out."),
                Field(
                    name="align_seconds",
                    kind=Kind.INTEGER,
                    minimum=1,
                    maximum=86_400,
                    doc="Round the time of the readings down to this grid [s].",
                ),
            ),
        ),
    },
    session=ModbusSession,
)
