"""Which parameters and records a firmware has: read from its model file, applied to what the meter sends.

A model file holds ``mapping_versions`` (what parameter 94 of the firmware says after its underscore), ``parameters``
(name: id, type, series, unit) and ``layouts`` (databases, lengths of a record, columns at their offsets). A value
with ``pulses`` counts input pulses and is multiplied by the pulse weight; ``divisor`` divides it afterwards. A value
without a series is not kept; a text becomes an event.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from pipelines.amr.contract import Meter
from pipelines.amr.faults import BadData, Misconfigured, Unsupported
from pipelines.amr.models import MeterModel, choose_model, load_models
from pipelines.amr.protocols.iflag.values import LENGTHS, Value, decode, plain

MAPPING_VERSION = 0x5E
"""The parameter that says which ids the others have; it has this id and is a string in every firmware."""
CLOCK, PULSE_WEIGHT = "datetime", "input_pulse_weight"
STAMP = "end_date"
"""The column that dates a record: the end of its period, when its index was taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One value of an answer or a record: where it lies, how it is coded, what it is called."""

    name: str
    kind: str
    offset: int
    series: str | None = None
    unit: str | None = None
    pulses: bool = False
    divisor: int = 1

    def read(self, data: bytes, pulse_weight: Decimal | None) -> Value:
        """Return the value in its unit; a count of pulses of unknown weight is no value.

        Raises
        ------
        BadData
            The bytes are no value of this type.
        """
        value = decode(self.kind, data[self.offset : self.offset + LENGTHS[self.kind]])
        if not isinstance(value, Decimal):
            return value
        if self.pulses:
            if pulse_weight is None:
                return None
            value *= pulse_weight
        return plain(value / self.divisor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the records of some databases lie, for some lengths of a record."""

    databases: frozenset[str]
    lengths: frozenset[int]
    columns: tuple[Spot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """A model file, read: ``parameters`` are (id, how the value is coded) by name."""

    key: str
    title: str
    mapping_versions: frozenset[str]
    parameters: Mapping[str, tuple[int, Spot]]
    layouts: tuple[Layout, ...]

    def parameter(self, name: str) -> tuple[int, Spot]:
        """Return id and coding of a parameter.

        Raises
        ------
        Unsupported
            This firmware has no such parameter.
        """
        if name not in self.parameters:
            raise Unsupported(f"{self.title} has no parameter {name}; it has {', '.join(sorted(self.parameters))}")
        return self.parameters[name]

    def layout(self, database: str, length: int) -> Layout:
        """Return how records of ``length`` bytes of a database lie.

        Raises
        ------
        Unsupported
            The model file does not describe such records.
        """
        for layout in self.layouts:
            if database in layout.databases and length in layout.lengths:
                return layout
        raise Unsupported(f"{self.title}: records of {length} bytes in database {database} are not described")


@cache
def model_files() -> dict[str, MeterModel]:
    """Return the model files of this protocol by key."""
    return load_models(__package__)


@cache
def firmwares() -> dict[str, Firmware]:
    """Return the known firmwares by key."""
    return {key: _firmware(model) for key, model in model_files().items()}


def choose_firmware(meter: Meter, mapping_version: str | None, wanted: str | None = None) -> Firmware:
    """Return the firmware a call names, else the one the meter says it has, else that of its device type.

    Raises
    ------
    Misconfigured
        None of them is known; the text says what the meter calls itself and lists the known ones.
    """
    if wanted is None and mapping_version is not None:
        for firmware in firmwares().values():
            if mapping_version in firmware.mapping_versions:
                return firmware
    try:
        return firmwares()[choose_model(model_files(), meter, wanted).key]
    except Misconfigured as error:
        said = "" if mapping_version is None else f" (the meter has parameter mapping {mapping_version!r})"
        raise Misconfigured(f"{error}{said}") from None


def read_parameters(spots: Sequence[tuple[int, Spot]], data: bytes) -> dict[str, Value]:
    """Return the values, by name, of an answer to a question for these parameters in this order.

    Raises
    ------
    BadData
        The answer has another length, or a value is none.
    """
    if len(data) != answer_length(spots):
        raise BadData(f"{len(data)} bytes are no answer of {answer_length(spots)} bytes")
    values: dict[str, Value] = {}
    start = 0
    for _, spot in spots:
        end = start + LENGTHS[spot.kind]
        values[spot.name] = spot.read(data[start:end], None)
        start = end
    return values


def answer_length(spots: Sequence[tuple[int, Spot]]) -> int:
    """Return how many bytes of data answer a question for these parameters."""
    return sum(LENGTHS[spot.kind] for _, spot in spots)


def stamp_of(layout: Layout, record: bytes) -> datetime | None:
    """Return the naive end of a record's period; None for a record that was never written.

    Raises
    ------
    BadData
        The date is impossible.
    """
    stamps = [column.read(record, None) for column in layout.columns if column.name == STAMP]
    return next((stamp for stamp in stamps if isinstance(stamp, datetime)), None)


def _firmware(model: MeterModel) -> Firmware:
    data = model.data
    return Firmware(
        key=model.key,
        title=model.title,
        mapping_versions=frozenset(data["mapping_versions"]),
        parameters={
            name: (entry["id"], _spot(name, 0, entry)) for name, entry in sorted(data["parameters"].items())
        },
        layouts=tuple(
            Layout(
                databases=frozenset(layout["databases"]),
                lengths=frozenset(layout["lengths"]),
                columns=tuple(_spot(column["name"], column["at"], column) for column in layout["columns"]),
            )
            for layout in data["layouts"]
        ),
    )


def _spot(name: str, offset: int, entry: Mapping[str, Any]) -> Spot:
    return Spot(
        name=name,
        kind=entry["type"],
        offset=offset,
        series=entry.get("series"),
        unit=entry.get("unit"),
        pulses=entry.get("pulses", False),
        divisor=entry.get("divisor", 1),
    )
