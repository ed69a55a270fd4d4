"""Readings into interval energy: only what a change can have altered is derived again."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from analytics.cadence import derive_runs
from analytics.calendar import SECOND_US, from_us
from analytics.overlaps import IntervalEnergy, resolve_overlaps
from analytics.registers import Channel
from analytics.series import Direction
from pipelines.db.bulk import copy_in
from pipelines.db.engine import raw, unit_of_work
from pipelines.db.instants import instant
from pipelines.insight.channels import read_channels
from pipelines.insight.device_series import DeviceSeries, series_of_devices
from pipelines.insight.spacing import learn_spacings
from pipelines.insight.windows import Window, affected_windows
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
    changed = merged_spans(changes)
    series = series_of_devices(connection, sorted({span[0] for span in changed}))
    series, spans = learn_spacings(connection, series, changed)
    windows = affected_windows(connection, spans, series)
    _forget(connection, windows)
    intervals = sum(
        _store(connection, group, read_channels(connection, group, series)) for group in _groups(windows, series)
    )
    raw(connection).execute(
        f"""
        INSERT INTO wattloom.energy_change (device_id, from_at, to_at)
        SELECT device_id, {instant("start_us")}, {instant("end_us")}
        FROM unnest(%(device)s::int4[], %(start)s::int8[], %(end)s::int8[]) AS w (device_id, start_us, end_us)
        """,
        _columns(windows),
    )
    settle_changes(connection, "reading_change", changes)
    return Derived(devices=len(series), windows=len(windows), intervals=intervals)


_READINGS_AT_ONCE = 1_000_000


def _groups(windows: Sequence[Window], series: Mapping[int, Sequence[DeviceSeries]]) -> Iterator[list[Window]]:
    """Part windows so that about as many readings are in memory at once, however long the histories are."""
    group: list[Window] = []
    readings = 0.0
    for window in windows:
        length_s = (window.end_us - window.start_us) / SECOND_US
        expected = sum(length_s / (s.interval_s or s.spacing_s or 900) for s in series[window.device_id])
        if group and readings + expected > _READINGS_AT_ONCE:
            yield group
            group, readings = [], 0.0
        group.append(window)
        readings += expected
    if group:
        yield group


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


_Channels = Sequence[tuple[DeviceSeries, Sequence[Channel]]]


def _store(connection: sa.Connection, windows: Sequence[Window], channels: Mapping[int, _Channels]) -> int:
    """Derive every window and append the energy of all by one COPY."""
    flows = [
        (window.device_id, int(direction), energy)
        for n, window in enumerate(windows)
        for direction in Direction
        if len(energy := _flow(channels[n], direction, window))
    ]
    if not flows:
        return 0
    size = [len(energy) for *_, energy in flows]
    return copy_in(
        raw(connection),
        "interval_energy",
        {
            "device_id": ("int4", np.repeat(np.array([d for d, _, _ in flows], dtype=np.int32), size)),
            "direction": ("int2", np.repeat(np.array([d for _, d, _ in flows], dtype=np.int16), size)),
            "start_at": ("timestamptz", np.concatenate([e.start_us for *_, e in flows])),
            "duration_s": ("int4", np.concatenate([e.duration_s for *_, e in flows])),
            "energy_uwh": ("int8", np.concatenate([e.energy_uwh for *_, e in flows])),
            "quality": ("int2", np.concatenate([e.quality for *_, e in flows])),
        },
        schema="wattloom",
    )


def _flow(channels: _Channels, direction: Direction, window: Window) -> IntervalEnergy:
    """Return one direction's energy of the intervals that start in a window; a load profile goes before a register."""
    chosen = [runs for one, runs in channels if one.energy.direction is direction and runs[0].times_us.size]
    chosen.sort(key=lambda runs: runs[0].kind != "interval")
    energy = resolve_overlaps([derive_runs(runs) for runs in chosen])
    return energy.starting_in(window.start_us, window.end_us)
