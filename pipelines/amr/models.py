"""Meter models are data: one TOML file a model says what its values are called, and shows a telegram to prove it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from pipelines.amr.contract import Meter
from pipelines.amr.faults import Misconfigured


@dataclass(frozen=True, kw_only=True)
class MeterModel:
    """A model file: ``key`` is its file name; ``data`` is the part that only its protocol understands."""

    key: str
    title: str
    manufacturer: str
    models: tuple[str, ...]
    data: Mapping[str, Any]


def load_models(package: str) -> dict[str, MeterModel]:
    """Return the models of a driver package, by key, from its folder ``models``."""
    found = {}
    for file in sorted((files(package) / "models").iterdir(), key=lambda item: item.name):
        if file.name.endswith(".toml"):
            key = file.name.removesuffix(".toml")
            data = tomllib.loads(file.read_text(encoding="utf-8"))
            found[key] = MeterModel(
                key=key,
                title=data.pop("title"),
                manufacturer=data.pop("manufacturer"),
                models=tuple(data.pop("models")),
                data=data,
            )
    return found


def choose_model(
    models: Mapping[str, MeterModel], meter: Meter, wanted: str | None = None, default: str | None = None
) -> MeterModel:
    """Return the model that a call names, else that of the meter's device type, else ``default``.

    Raises
    ------
    Misconfigured
        No such model, or none can be told; the text lists those that exist.
    """
    if wanted is not None:
        if wanted not in models:
            raise Misconfigured(f"model {wanted!r} is unknown; known are {', '.join(sorted(models))}")
        return models[wanted]
    for model in models.values():
        is_maker = model.manufacturer.casefold() == meter.manufacturer.casefold()
        if is_maker and meter.model.casefold() in (name.casefold() for name in model.models):
            return model
    if default is not None:
        return models[default]
    made = f"{meter.manufacturer} {meter.model}".strip() or "no device type"
    raise Misconfigured(f"no model file fits {made}; name one as model: {', '.join(sorted(models))}")
