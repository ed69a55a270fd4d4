"""Meters of the simulated fleet as a head end knows them: type, series, keys and interface of each line."""

from dataclasses import dataclass, field
from uuid import UUID

import sqlalchemy as sa

from pipelines.db import tables
from pipelines.db.engine import unit_of_work
from pipelines.simulators.meters.kinds import SimulatedMeter
from tests.integration.amr.station import Station
from tests.integration.world import Device, Series


@dataclass
class HeadEnd:
    """Enters lines of a manifest and invokes their tasks."""

    station: Station
    _series: dict[tuple[str, str], Series] = field(default_factory=dict)

    def enter(
        self,
        line: SimulatedMeter,
        *,
        port: int | None = None,
        interface: UUID | None = None,
        can_block: bool = True,
        keys: dict[str, str] | None = None,
    ) -> Device:
        """Make the meter of a line, over an interface of its own unless one is given."""
        interface = interface or self.station.interface(port or line.port, host=line.host, can_block=can_block)
        series = [self._known(str(one["name"]), str(one["unit"])) for one in line.series]
        device = self.station.meter(
            interface,
            *series,
            protocol=line.protocol,
            zone=line.timezone,
            manufacturer_serial=line.manufacturer_serial,
            **line.device,
        )
        kind = tables.meter_device_type
        made = {"manufacturer": line.manufacturer, "manufacturer_model": line.manufacturer_model}
        with unit_of_work(self.station.engine) as connection:
            connection.execute(sa.update(kind).where(kind.c.id == device.type).values(**made))
        secret = dict(line.keys) if keys is None else keys
        if secret:
            self.station.key(device, **secret)
        return device

    def invoke(self, line: SimulatedMeter, device: Device) -> int:
        """Put a job of the line's task before all scheduled ones."""
        return self.station.invoke(device, line.task_call, dict(line.task_kwargs), kind=line.meter_execution_type)

    def _known(self, name: str, unit: str) -> Series:
        if (name, unit) == ("1-0:1.8.0", "kWh"):
            return self.station.register
        if (name, unit) not in self._series:
            self._series[name, unit] = self.station.world.series(name, unit)
        return self._series[name, unit]
