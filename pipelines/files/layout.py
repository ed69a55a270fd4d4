"""What a header says: the separator, which columns hold device, time and energy, and the unit."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from pipelines.errors import RejectedInput
from pipelines.files.plan import LoadPlan

UNITS = {unit.lower(): unit for unit in ("Wh", "kWh", "MWh", "J", "MJ", "GJ")}
_DEFAULT_UNIT = "kWh"
_POWER = {"w", "kw", "mw"}
_MILLI = "mWh"  # milliwatt-hours, the one unit that only its case tells from another
_PERIOD = {"hh", "per", "half", "hour", "halfhour", "interval"}
_SEPARATORS = ",;\t"

# Compared without case, signs and units: "energy(kWh/hh)" is "energy", "LCLid" is "lclid".
# fmt: off
_DEVICE_NAMES = {
    "device", "devicename", "deviceid", "meter", "metername", "meterid", "meterdevice", "meterdevicename",
    "meternumber", "lclid", "sensor", "sensorid", "household", "householdid", "serial", "serialnumber",
    "mpan", "mprn", "nmi",
}
_TIME_NAMES = {
    "time", "timestamp", "tstp", "datetime", "start", "starttime", "startat", "startedat", "intervalstart",
    "periodstart", "from", "readat", "readingtime", "readingdatetime", "utc", "timestamputc", "datetimeutc",
    "timeutc",
}
_VALUE_NAMES = {
    "energy", "value", "consumption", "usage", "reading", "energyconsumption", "energyimport",
    "energyimported", "import", "imported", "activeenergy", "load",
}
# fmt: on


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The columns of a file: their names, where the three stand (``device`` may be absent), and the unit."""

    separator: str
    columns: tuple[str, ...]
    device: int | None
    time: int
    value: int
    unit: str


def separator_of(header: str) -> str:
    """Return the separator that stands most often in a header outside quotes."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(_SEPARATORS, key=bare.count)


def split_line(line: str, separator: str) -> list[str]:
    """Return the fields of a header, quotes honoured, surrounding blanks dropped."""
    fields = re.findall(rf'(?:^|{separator})\s*(?:"((?:[^"]|"")*)"\s*|([^{separator}]*))', line)
    return [(quoted.replace('""', '"') or plain).strip() for quoted, plain in fields]


def read_layout(file: str, header: str, plan: LoadPlan) -> Layout:
    """Understand a header.

    Raises
    ------
    RejectedInput
        Naming the file and the column that is missing, doubled or ambiguous, or in no unit of energy.
    """
    separator = separator_of(header)
    columns = split_line(header, separator)

    def find(role: str, option: str, wanted: str | None, usual: Callable[[str], bool]) -> int | None:
        if wanted is not None:
            places = [i for i, name in enumerate(columns) if name == wanted.strip()]
            if not places:
                _refuse(file, f"there is no column {wanted!r}; the columns are {_listed(columns)}")
        else:
            places = [i for i, name in enumerate(columns) if usual(name)]
        names = {columns[i] for i in places}
        if len(names) > 1:
            _refuse(file, f"{_listed(sorted(names))} may all be the {role} column: name one with {option}")
        if len(places) > 1:
            _refuse(file, f"column {columns[places[0]]!r} stands {len(places)} times")
        return places[0] if places else None

    def found(role: str, option: str, wanted: str | None, usual: Callable[[str], bool]) -> int:
        place = find(role, option, wanted, usual)
        if place is None:
            _refuse(file, f"no {role} column among {_listed(columns)}: name it with {option}")
        return place

    device = find("device", "--device-column", plan.device_column, lambda name: _plain(name) in _DEVICE_NAMES)
    time = found("time", "--time-column", plan.time_column, lambda name: _plain(name) in _TIME_NAMES)
    value = found("value", "--value-column", plan.value_column, _is_value)
    if len({device, time, value}) < 3:
        _refuse(file, "device, time and value must be three different columns")
    return Layout(
        separator=separator,
        columns=tuple(columns),
        device=device,
        time=time,
        value=value,
        unit=_unit(file, plan.unit, columns[value]),
    )


def _refuse(file: str, message: str) -> NoReturn:
    raise RejectedInput({file: [message]})


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:60]) for name in columns[:20])
    return shown + (", ..." if len(columns) > 20 else "")


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", name.lower())


def _plain(name: str) -> str:
    return "".join(_words(name))


def _split_unit(word: str) -> tuple[str, str]:
    """Return what stands before the unit in a word, and the unit: "energywh" is ("energy", "wh")."""
    if word in UNITS:
        return "", word
    match = re.fullmatch(r"([a-z]+?)([km]?wh)", word)
    return (match[1], match[2]) if match else (word, "")


def _is_value(name: str) -> bool:
    words = [_split_unit(word) for word in _words(name)]
    rest = "".join(before for before, _ in words if before not in _PERIOD)
    return rest in _VALUE_NAMES or (not rest and any(unit for _, unit in words))


def _unit(file: str, given: str | None, column: str) -> str:
    """Return the unit that was given, else the one in the column's name, else kWh."""
    if given is not None:
        unit = UNITS.get(given.strip().lower())
        if unit is None or given.strip() == _MILLI:
            raise RejectedInput({"unit": [f"{given!r} is not one of {', '.join(UNITS.values())}"]})
        return unit
    named = sorted({UNITS[unit] for _, unit in map(_split_unit, _words(column)) if unit})
    if len(named) > 1:
        _refuse(file, f"column {column!r} names several units: say which with --unit")
    if _MILLI in re.findall("[A-Za-z]+", column) or (not named and _POWER.intersection(_words(column))):
        _refuse(file, f"column {column!r} is not in {', '.join(UNITS.values())}: name its unit with --unit")
    return named[0] if named else _DEFAULT_UNIT
