"""What a model file of an IEC 62056-21 meter says; everything has a default that fits a plain mode C meter."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.amr.contract import Meter
from pipelines.amr.models import MeterModel, choose_model, load_models
from pipelines.amr.protocols.iec62056_21.datasets import obis

GENERIC = "generic"
# Averages (4, 5, 14, 15, 24, 25, 27, 28) and time integrals over a recording interval (29, 30): IEC 62056-61, group D.
_INTERVAL_D = frozenset({"4", "5", "14", "15", "24", "25", "27", "28", "29", "30"})


@dataclass(frozen=True, slots=True)
class Series:
    """How values of an address are kept; an empty name is "not kept"."""

    name: str
    unit: str | None = None
    is_interval: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A model.

    ``range_form`` writes the ends of a profile's range: "minutes" is YYMMDDhhmm, "seconds" YYMMDDhhmmss, "season"
    sYYMMDDhhmm. ``slice_hours`` is how much of a profile one R5 asks for.
    """

    channel: str = "1-0"
    has_programming: bool = True
    read: str = "R1"
    write: str = "W1"
    clock_time: str = "0.9.1"
    clock_date: str = "0.9.2"
    profile_read: str = "R5"
    range_form: str = "minutes"
    slice_hours: int = 24
    series: Mapping[str, Series] = field(default_factory=dict)

    def keeps(self, address: str) -> Series | None:
        """Return how a current value or profile column is kept; None where only its unit can decide."""
        mapped = self.series.get(address)
        code = obis(address, self.channel)
        if mapped is None and code is not None:
            mapped = self.series.get(code.name)
        if mapped is not None:
            return mapped
        if code is None or code.f is not None:
            return Series("")
        return Series(code.name, None, code.d in _INTERVAL_D) if code.is_quantity else None


def device_of(model: MeterModel) -> Device:
    """Return the device of a model file."""
    data = {key: value for key, value in model.data.items() if key not in {"sample", "series"}}
    series = {
        address: Series(entry["series"], entry.get("unit"), entry.get("kind") == "interval")
        for address, entry in model.data.get("series", {}).items()
    }
    return Device(series=series, **data)


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
