"""A head end in the test's database: interfaces, meters, tasks and jobs, made and read without the API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from pipelines import clock
from pipelines.amr import jobs
from pipelines.amr.collection import Collector, Counts
from pipelines.db import tables
from pipelines.db.engine import unit_of_work
from pipelines.metering.vault import Vault
from pipelines.settings import Settings
from pipelines.simulators.meters.archive import MeterArchive, steady_archive
from pipelines.simulators.meters.lis200 import Lis200Meter
from pipelines.simulators.meters.responder import Faults
from pipelines.simulators.meters.server import MeterServer
from tests.integration.world import Device, Series, World

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
START = datetime(2026, 3, 9, 0, 0, tzinfo=UTC)
REGISTER = "1-0:1.8.0"
# A day and half a quarter of an hour, so that the seconds a test takes do not move the first row.
DAY_BACK = {"offset_seconds": 86_850, "archive_number": 2, "control_position": 3, "model": "dl230"}


def archive(rows: int = 36 * 4 + 1) -> MeterArchive:
    """Return quarter hours from ``START`` up to ``NOW``, 100 Wh each."""
    return steady_archive(start=START, rows=rows, interval_s=900)


def lis200(faults: Faults | None = None, *, password: str | None = None, rows: int = 36 * 4 + 1) -> MeterServer:
    """Return an unstarted simulated data logger."""
    stored = archive(rows)
    return MeterServer(
        lambda f: Lis200Meter(
            stored, f, password=password, zone=ZoneInfo("UTC"), archive_number=2, rows_per_block=16
        ),
        faults,
    )


@dataclass(frozen=True)
class Station:
    """Makes what a head end needs, of one organization."""

    engine: sa.Engine
    settings: Settings
    world: World
    register: Series

    @classmethod
    def build(cls, engine: sa.Engine, settings: Settings, organization: UUID | str) -> "Station":
        clock.start_at(NOW)
        world = World(engine, organization)
        return cls(engine, settings, world, world.series(REGISTER, "kWh"))

    def interface(self, port: int | None, *, host: str | None = "127.0.0.1", can_block: bool = True) -> UUID:
        row = self.world._insert(tables.network_interface, fqdn=host, port=port, can_block=can_block)
        return UUID(str(row.id))

    def meter(self, interface: UUID | None, *series: Series, protocol: str = "lis-200", **values: Any) -> Device:
        chosen = series or (self.register,)
        return self.world.device(*chosen, protocol=protocol, network_interface_id=interface, **values)

    def key(self, device: Device, **secret: str) -> None:
        with unit_of_work(self.engine) as connection:
            version, sealed = Vault(self.settings).seal(connection, self.world.organization, device.id, secret)
        self.world._insert(
            tables.meter_security_key,
            meter_device_id=device.id,
            key_version=version,
            created_at=clock.now(),
            **sealed,
        )

    def invoke(
        self,
        device: Device,
        call: str = "read_archive_by_offset_seconds",
        arguments: dict[str, Any] | None = None,
        *,
        kind: str = "generic_lis200",
    ) -> int:
        with unit_of_work(self.engine) as connection:
            return jobs.enqueue_on_demand(
                connection,
                organization=self.world.organization,
                meter=device.id,
                execution_type=kind,
                call=call,
                arguments=DAY_BACK if arguments is None else arguments,
                due_at=clock.now(),
            )

    def task(self, *devices: Device, schedule: str = "quarterly", **values: Any) -> UUID:
        chosen = {
            "name": "t",
            "schedule": schedule,
            "meter_execution_type": "generic_lis200",
            "task_call": "read_archive_by_offset_seconds",
            "task_kwargs": DAY_BACK,
        } | values
        row = self.world._insert(tables.amr_task, **chosen)
        with unit_of_work(self.engine) as connection:
            for device in devices:
                connection.execute(sa.insert(tables.meter_device_task).values(device_id=device.id, task_id=row.id))
        return UUID(str(row.id))

    def dispatch(self, schedule: str = "quarterly", tick: datetime | None = None) -> int:
        with unit_of_work(self.engine) as connection:
            return jobs.dispatch(connection, schedule=schedule, tick=tick or clock.now())

    def collect(self, served: dict[UUID, MeterServer] | None = None, *, collectors: int = 1) -> list[Counts]:
        """Serve meters on the ports of their interfaces and let collectors drain every due job side by side."""

        async def run() -> list[Counts]:
            async with serving(self, served or {}):
                drains = [Collector(self.engine, self.settings).drain() for _ in range(collectors)]
                return list(await asyncio.gather(*drains))

        return asyncio.run(run())

    def point(self, interface: UUID, port: int) -> None:
        """Let an interface lead to a port."""
        table = tables.network_interface
        with unit_of_work(self.engine) as connection:
            connection.execute(sa.update(table).where(table.c.id == interface).values(port=port))

    def job(self, identifier: int) -> Any:
        return self.one("SELECT * FROM wattloom.amr_job WHERE id = :id", id=identifier)

    def one(self, query: str, **values: Any) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(sa.text(query), values).one()

    def scalar(self, query: str, **values: Any) -> Any:
        return self.one(query, **values)[0]

    def readings(self, device: Device) -> list[tuple[datetime, Any]]:
        query = sa.text('SELECT "timestamp", value FROM wattloom.meter_reading WHERE device_id = :id ORDER BY 1')
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(query, {"id": device.sensor_id})]

    def expected(self, start: datetime, end: datetime = NOW) -> list[tuple[datetime, Any]]:
        """Return what the archive holds of ``[start, end]``, in kWh."""
        return [(at, Decimal(value).scaleb(-3)) for at, value in archive().rows(start, end)]


@asynccontextmanager
async def serving(station: Station, served: dict[UUID, MeterServer]) -> AsyncIterator[None]:
    """Serve each meter on a free port that its interface then leads to."""
    for interface, server in served.items():
        await server.start()
        station.point(interface, server.port)
    try:
        yield
    finally:
        for server in served.values():
            await server.stop()
