"""What a session asks the storekeeper to do, as data."""

from array import array
from dataclasses import dataclass, field
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
    """Readings of one meter as columns of equal length; the result is how many found no meter or series any more."""

    sensor_id: int
    series: "array[int]"
    times_us: "array[int]"
    mantissas: "array[int]"
    scales: "array[int]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """An archive of a meter was read without a hole from one instant to another."""

    sensor_id: int
    archive: str
    start: datetime
    end: datetime


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
    """Verdicts of jobs and the archives they read; was their interface reached (None: not tried); a lease that ends."""

    verdicts: list[Verdict]
    marks: list[Mark] = field(default_factory=list)
    interface: UUID | None = None
    was_reached: bool | None = None
    releases: Lease | None = None


Op = Begin | Reserve | Block | State | Events | Finish
