"""Readings into interval energy: only what a change can have altered is derived again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from analytics.calendar import UtcRange, from_us
from analytics.registers import Channel, derive_flow
from analytics.series import Direction
from pipelines.db.bulk import copy_in
from pipelines.db.engine import raw, unit_of_work
from pipelines.insight.channels import DeviceSeries, Window, affected_windows, read_channels, series_of_devices
from pipelines.insight.work import (
    Limits,
    batches,
    changed_devices,
    claim_changes,
    lock_devices,
    merged_spans,
    settle_changes,
)


@dataclass(frozen=True, kw_only=True)
class Derived:
    """What a derivation did."""

    devices: int = 0
    windows: int = 0
    intervals: int = 0

    def __add__(self, other: "Derived") -> "Derived":
        return Derived(
            devices=self.devices + other.devices,
            windows=self.windows + other.windows,
            intervals=self.intervals + other.intervals,
        )


def derive(engine: sa.Engine, limits: Limits, progress: Callable[[int, int], None] | None = None) -> Derived:
    """Work off the log of changed readings, a batch of devices per transaction.

    A killed run loses nothing: a batch's energy, the log of what changed for the roll-ups, and the removal of its
    entries from the log of readings are one transaction.
    """
    with unit_of_work(engine) as connection:
        devices = changed_devices(connection, "reading_change", limits)
    done, total = 0, Derived()
    for batch in batches(devices):
        with unit_of_work(engine) as connection:
            total += _derive_batch(connection, lock_devices(connection, batch), limits)
        done += len(batch)
        if progress is not None:
            progress(done, len(devices))
    return total


def _derive_batch(connection: sa.Connection, devices: Sequence[int], limits: Limits) -> Derived:
    changes = claim_changes(connection, "reading_change", devices, limits)
    if not changes:
        return Derived()
    spans = merged_spans(changes)
    series = series_of_devices(connection, sorted({span[0] for span in spans}))
    windows = affected_windows(connection, spans, series)
    channels = read_channels(connection, windows, series)
    _forget(connection, windows)
    intervals = sum(_store(connection, window, channels[n]) for n, window in enumerate(windows))
    raw(connection).execute(
        """
        INSERT INTO wattloom.energy_change (device_id, from_at, to_at)
        SELECT device_id, timestamptz 'epoch' + start_us * interval '1 microsecond',
               timestamptz 'epoch' + end_us * interval '1 microsecond'
        FROM unnest(%(device)s::int4[], %(start)s::int8[], %(end)s::int8[]) AS w (device_id, start_us, end_us)
        """,
        _columns(windows),
    )
    settle_changes(connection, "reading_change", changes)
    return Derived(devices=len(series), windows=len(windows), intervals=intervals)


def _columns(windows: Sequence[Window]) -> dict[str, list[int]]:
    return {
        "device": [w.device_id for w in windows],
        "start": [w.start_us for w in windows],
        "end": [w.end_us for w in windows],
    }


def _forget(connection: sa.Connection, windows: Sequence[Window]) -> None:
    for window in windows:
        raw(connection).execute(
            "DELETE FROM wattloom.interval_energy WHERE device_id = %s AND start_at >= %s AND start_at < %s",
            (window.device_id, from_us(window.start_us), from_us(window.end_us)),
        )


def _store(connection: sa.Connection, window: Window, channels: Sequence[tuple[DeviceSeries, Channel]]) -> int:
    stored = 0
    span = UtcRange(from_us(window.start_us), from_us(window.end_us))
    for direction in Direction:
        chosen = [
            channel for one, channel in channels if one.energy.direction is direction and channel.times_us.size
        ]
        if not chosen:
            continue
        energy = derive_flow(chosen, span)
        count = len(energy)
        stored += copy_in(
            raw(connection),
            "interval_energy",
            {
                "device_id": ("int4", np.full(count, window.device_id, dtype=np.int32)),
                "direction": ("int2", np.full(count, int(direction), dtype=np.int16)),
                "start_at": ("timestamptz", energy.start_us),
                "duration_s": ("int4", energy.duration_s),
                "energy_uwh": ("int8", energy.energy_uwh),
                "quality": ("int2", energy.quality),
            },
            schema="wattloom",
        )
    return stored
