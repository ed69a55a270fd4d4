"""The series of devices that carry electric energy, with all that turns their values into it."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from analytics.series import EnergySeries, energy_series
from pipelines.db.engine import raw


@dataclass(frozen=True, kw_only=True)
class DeviceSeries:
    """A series of a device that carries energy, with the ratios that apply to it.

    ``interval_s`` is declared, ``spacing_s`` learned; a young series has few readings, all of them of one cadence.
    """

    device_id: int
    series_id: int
    energy: EnergySeries
    ratio: int
    interval_s: int | None
    spacing_s: int | None
    register_digits: int | None
    is_young: bool = False


_SERIES = """
    SELECT c.device_id, c.series_id, s.name, s.unit, s.kind, s.interval_s, c.spacing_s, s.register_digits,
           CASE WHEN s.affected_by_ct_ratio AND d.has_current_transformer
                THEN d.current_transformer_ratio ELSE 1 END
           * CASE WHEN s.affected_by_vt_ratio AND d.has_voltage_transformer
                  THEN d.voltage_transformer_ratio ELSE 1 END::bigint
    FROM wattloom.reading_channel AS c
    JOIN wattloom.meter_device AS d ON d.sensor_id = c.device_id
    JOIN wattloom.meter_reading_series AS s ON s.series_key = c.series_id
    WHERE c.device_id = ANY(%s)
    ORDER BY c.device_id, c.series_id
"""


def series_of_devices(connection: sa.Connection, devices: Sequence[int]) -> dict[int, list[DeviceSeries]]:
    """Return, per device, the series that carry electric energy."""
    found: dict[int, list[DeviceSeries]] = {device: [] for device in devices}
    for device, series, name, unit, kind, interval_s, spacing_s, digits, ratio in raw(connection).execute(
        _SERIES, (list(devices),)
    ):
        energy = energy_series(name, unit, kind)
        if energy is not None:
            found[device].append(
                DeviceSeries(
                    device_id=device,
                    series_id=series,
                    energy=energy,
                    ratio=ratio,
                    interval_s=interval_s,
                    spacing_s=spacing_s,
                    register_digits=digits,
                )
            )
    return found
