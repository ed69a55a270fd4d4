"""Organizations, meters and readings to measure with; fixed seeds."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import sqlalchemy as sa

from pipelines import crud
from pipelines.accounts.organizations import create_organization
from pipelines.accounts.principals import by_staff_token
from pipelines.db.engine import unit_of_work
from pipelines.metering import resources
from pipelines.metering.batches import NamedReadings

QUARTER_US = 900_000_000
START_US = 1_704_067_200_000_000  # 2024-01-01T00:00:00Z
SERIES = "1-0:1.29.0"


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Meters of one organization that may save one load profile."""

    organization: UUID
    credentials: dict[str, Any]
    meters: list[str]
    sensors: list[int]


def make_fleet(engine: sa.Engine, size: int, *, zone: str = "Europe/Stockholm") -> Fleet:
    with unit_of_work(engine) as connection:
        made = create_organization(connection, "Bench")
        staff = by_staff_token(connection, made["staff"]["token"])
        own = {"organization": str(staff.organization_id)}
        series = crud.create_row(
            connection, resources.SERIES, staff, {**own, "name": SERIES, "unit": "kWh", "interval_s": 900}
        )
        config = crud.create_row(
            connection,
            resources.CONFIG,
            staff,
            {**own, "name": "c", "series": [str(series["id"])], "timezone": zone},
        )
        kind = crud.create_row(
            connection,
            resources.TYPE,
            staff,
            {**own, "name": "t", "manufacturer": "m", "manufacturer_model": "x", "config": str(config["id"])},
        )
        sensors = [
            crud.create_row(
                connection,
                resources.DEVICE,
                staff,
                {"name": f"M{n}", "protocol": "dlms-cosem", "type": str(kind["id"])},
            )["sensor_id"]
            for n in range(size)
        ]
    return Fleet(
        organization=staff.organization_id,
        credentials=made,
        meters=[f"M{n}" for n in range(size)],
        sensors=sensors,
    )


def profile(fleet: Fleet, *, first: int, count: int) -> NamedReadings:
    """Return ``count`` quarter hours of every meter from the ``first`` on [kWh, 3 decimals]."""
    size = len(fleet.meters)
    generator = np.random.default_rng(abs(first))
    return NamedReadings(
        pairs=[(meter, SERIES) for meter in fleet.meters],
        pair=np.repeat(np.arange(size, dtype=np.int32), count),
        times_us=np.tile(START_US + (first + np.arange(count, dtype=np.int64)) * QUARTER_US, size),
        mantissa=generator.integers(20, 900, size * count),
        scale=np.full(size * count, 3, dtype=np.int16),
    )
