"""What a session asks the storekeeper to do, as data."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from pipelines.amr.contract import MeterEvent
from pipelines.amr.jobs import Verdict
from pipelines.amr.leases import Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Take a lease, where one is given, and hold the jobs' claims until it ends; True where both are ours."""

    jobs: list[int]
    lease: Lease | None
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """Use up invocation counters; the result is the first."""

    sensor_id: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Readings of one meter as columns; the result maps a rejected reading's code to its count and first reason."""

    organization_id: UUID
    sensor_id: int
    meter: str
    series: list[str]
    pair: list[int]
    times_us: list[int]
    mantissa: list[int]
    scale: list[int]
    archive: str | None
    covered: tuple[datetime, datetime] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What became known of a meter: its clock's drift, or that it refused our secrets (False: that it took them)."""

    sensor_id: int
    drift_s: Decimal | None = None
    refused: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Events of one meter."""

    organization_id: UUID
    meter_id: UUID
    events: list[MeterEvent]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """Verdicts of jobs; whether their interface was reached (None: not tried); and a lease that ends with them."""

    verdicts: list[Verdict]
    interface: UUID | None = None
    was_reached: bool | None = None
    releases: Lease | None = None


Op = Begin | Reserve | Block | State | Events | Finish
Rejected = dict[str, tuple[int, str]]
