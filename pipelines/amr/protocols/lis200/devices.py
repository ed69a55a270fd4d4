"""What a model file of a LIS-200 device says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipelines.amr.contract import Meter
from pipelines.amr.models import MeterModel, choose_model, load_models

GENERIC = "generic"
_ADDRESS = re.compile(r"(?:\d+-)?0*(\d+):0*([0-9A-Za-z_]+)(?:\.[0-9A-Za-z])?")


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is kept: its place in the row from 0, its series and the unit of its values."""

    index: int
    series: str
    unit: str | None


@dataclass(frozen=True, slots=True)
class Layout:
    """How an archive's rows are read; places count from 0.

    ``ordinal`` is the column whose number grows by one a row: it shows rows that were repeated or lost.
    """

    time: int
    ordinal: int | None
    columns: tuple[Column, ...]

    @property
    def width(self) -> int:
        """The fewest columns a row may have."""
        return 1 + max(self.time, self.ordinal or 0, *(column.index for column in self.columns), 0)


@dataclass(frozen=True, slots=True)
class Device:
    """A model: its lock for the password, how many rows a partial block takes (0: one block of all), its values.

    ``archives`` maps a number, or "any", to a layout; without one the device is asked for the sources and units.
    """

    lock: str
    rows_per_block: int
    values: Mapping[str, Column]
    archives: Mapping[str, Layout]

    def layout(self, archive: int, control_position: int) -> Layout | None:
        """Return the layout of an archive; one for any archive has its time in the controlling column."""
        named = self.archives.get(str(archive))
        if named is not None:
            return named
        common = self.archives.get("any")
        return None if common is None else replace(common, time=control_position - 1)


def core_address(address: str) -> str:
    """Return the address without medium, attribute and leading zeros: "7-2:0302.2" and "2:302.0" are both "2:302"."""
    found = _ADDRESS.fullmatch(address)
    return f"{found[1]}:{found[2]}" if found else address


def device_of(model: MeterModel) -> Device:
    """Return the device of a model file."""
    data = model.data
    return Device(
        lock=data.get("lock", "3:171.0"),
        rows_per_block=data.get("rows_per_block", 10),
        values={core_address(key): _column(value) for key, value in data.get("values", {}).items()},
        archives={key: _layout(value) for key, value in data.get("archives", {}).items()},
    )


def _column(entry: Mapping[str, Any]) -> Column:
    return Column(entry.get("position", 1) - 1, entry["series"], entry.get("unit"))


def _layout(entry: Mapping[str, Any]) -> Layout:
    ordinal = entry.get("ordinal")
    columns = tuple(_column(column) for column in entry["columns"])
    return Layout(time=entry["time"] - 1, ordinal=None if ordinal is None else ordinal - 1, columns=columns)


MODELS = load_models(__package__ or "")
_DEVICES = {key: device_of(model) for key, model in MODELS.items()}


def choose_device(meter: Meter, wanted: str | None) -> Device:
    """Return the device of the model that the call or the meter's type names, else the generic one.

    Raises
    ------
    Misconfigured
        The call names a model that does not exist.
    """
    return _DEVICES[choose_model(MODELS, meter, wanted, default=GENERIC).key]
