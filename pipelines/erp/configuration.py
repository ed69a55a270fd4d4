"""An integration's configuration, checked as a whole and compiled: what is wrong is refused before any event comes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from pipelines.erp import values
from pipelines.erp.getters import Getter, MappedField, compile_field, compile_flag, compile_rows
from pipelines.erp.payloads import decode
from pipelines.erp.relations import Relation, compile_relation
from pipelines.erp.scopes import EntityScope, compile_scope
from pipelines.erp.verdicts import RowError
from pipelines.errors import RejectedInput

MODES = ("upsert", "delete", "upsert-prune-scope")
PRUNING = ("upsert-prune-scope-delete", "upsert-prune-scope-purge")
ENTITY_MODES = ("upsert", "delete", "purge", *PRUNING)
MATCHING = ("external_id", "strict-date")
REQUIRED = ("external_id", "timestamp", "source", "value")
METER = "meter"
# What a meter is found by, and the column that holds it.
METER_COLUMNS = {
    "external_id": "external_system_reference",
    "meter_number": "name",
    "serial_number": "manufacturer_serial",
}
COUNTER_ATTRIBUTES = ("external_id", "obis_number", "name")
DEFAULT_WINDOW_H = 24
LARGEST_WINDOW_H = 24 * 366
_NOTES = frozenset({"name", "description"})
_READING_KEYS = _NOTES | {
    *("jsonataExpression", "meter", "meter_counter", "fields", "mode", "reading_matching", "scope", "enabled"),
    *("default_series", "deduplication_window_hours"),
}
_ENTITY_KEYS = _NOTES | {"entity_schema", "unique_ids", "jsonataExpression", "fields", "mode", "scope", "enabled"}


@dataclass(frozen=True, kw_only=True)
class ReadingItem:
    """How the readings of a payload are found, mapped and matched."""

    rows: Getter | None
    enabled: Getter | bool
    meter: tuple[MappedField, ...]
    counter: tuple[MappedField, ...]
    fields: tuple[MappedField, ...]
    mode: str
    matching: str
    scope_source: str | None
    window_h: float
    default_series: str | None

    @property
    def prunes(self) -> bool:
        """Tell whether readings that a payload does not name are deleted."""
        return self.mode == "upsert-prune-scope"

    @property
    def is_strict(self) -> bool:
        """Tell whether a reading is matched by its day."""
        return self.matching == "strict-date"


@dataclass(frozen=True, kw_only=True)
class EntityItem:
    """How an entity, or a list of them, is found in a payload and mapped."""

    schema: str
    rows: Getter | None
    enabled: Getter | bool
    unique_ids: tuple[MappedField, ...]
    fields: tuple[MappedField, ...]
    relations: tuple[Relation, ...]
    mode: str
    scope: EntityScope | None


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A checked configuration."""

    entities: tuple[EntityItem, ...]
    readings: tuple[ReadingItem, ...]


class _Faults:
    """Collects what is wrong with one item of a list."""

    def __init__(self, where: str, errors: list[str]) -> None:
        self._where, self._errors = where, errors

    def add(self, message: str) -> None:
        self._errors.append(f"{self._where} {message}")

    def unknown(self, item: Mapping[str, Any], known: frozenset[str]) -> None:
        for key in sorted(set(item) - known):
            self.add(f"has an unknown key: {_shown(key)}")

    def choice(self, item: Mapping[str, Any], key: str, allowed: tuple[str, ...]) -> str:
        value = item.get(key, allowed[0])
        if not isinstance(value, str) or value not in allowed:
            self.add(f"has an invalid {key}: {_shown(value)} (must be one of {', '.join(allowed)})")
            return allowed[0]
        return value


def _shown(value: object) -> str:
    return f'"{value[:60]}"' if isinstance(value, str) else type(value).__name__


def check_configuration(sent: Any) -> Configuration:
    """Check and compile a configuration.

    Raises
    ------
    RejectedInput
        With every fault of every item.
    """
    errors: list[str] = []
    if not isinstance(sent, Mapping):
        raise RejectedInput({"configuration": ["Expected an object."]})
    errors += [
        f"Configuration has an unknown key: {_shown(k)}"
        for k in sorted(set(sent) - {"entities", "meter_readings"})
    ]
    lists: dict[str, list[Any]] = {}
    for key in ("entities", "meter_readings"):
        given = sent.get(key)
        if given is not None and not isinstance(given, list):
            errors.append(f"Configuration: {key} must be a list")
        lists[key] = given if isinstance(given, list) else []
    if not errors and not lists["entities"] and not lists["meter_readings"]:
        errors.append("Configuration needs entities or meter_readings")
    entities = [
        _entity(one, _Faults(f"Entity configuration (item {n})", errors))
        for n, one in enumerate(lists["entities"])
    ]
    readings = [
        _reading(one, _Faults(f"Meter readings configuration (item {n})", errors))
        for n, one in enumerate(lists["meter_readings"])
    ]
    if errors:
        raise RejectedInput({"configuration": errors})
    return Configuration(
        entities=tuple(one for one in entities if one is not None),
        readings=tuple(one for one in readings if one is not None),
    )


@lru_cache(maxsize=256)
def compiled(text: str) -> Configuration:
    """Return the configuration that JSON text holds; the same text is compiled once."""
    return check_configuration(decode(text))


def _reading(item: Any, faults: _Faults) -> ReadingItem | None:
    if not isinstance(item, Mapping):
        faults.add("must be an object")
        return None
    faults.unknown(item, _READING_KEYS)
    if item.get("mode") == "purge":
        faults.add("has an invalid mode: purge is not supported for meter readings (use delete)")
        item = {**item, "mode": "delete"}
    mode = faults.choice(item, "mode", MODES)
    matching = faults.choice(item, "reading_matching", MATCHING)
    fields = _fields(item, faults)
    _check_required(fields, mode, matching, faults)
    _check_constants(fields, faults)
    meter = _lookup(item, "meter", tuple(METER_COLUMNS), fields, faults)
    if not meter:
        faults.add("is missing a meter with at least one entry in unique_ids")
    has_counter = item.get("meter_counter") is not None
    counter = _lookup(item, "meter_counter", COUNTER_ATTRIBUTES, fields, faults) if has_counter else ()
    if has_counter and not counter:
        faults.add("has a meter_counter without an entry in unique_ids")
    return ReadingItem(
        rows=_compiled_rows(item, faults),
        enabled=_flag(item, faults),
        meter=meter,
        counter=counter,
        fields=fields,
        mode=mode,
        matching=matching,
        scope_source=_scope(item, mode, faults),
        window_h=_window(item, faults),
        default_series=_series(item, faults),
    )


def _entity(item: Any, faults: _Faults) -> EntityItem | None:
    if not isinstance(item, Mapping):
        faults.add("must be an object")
        return None
    faults.unknown(item, _ENTITY_KEYS)
    schema = item.get("entity_schema")
    if not isinstance(schema, str) or not 0 < len(schema) <= 100 or "\0" in schema or not schema.strip():
        faults.add("is missing entity_schema, a text of 1 to 100 characters")
        schema = ""
    mode = faults.choice(item, "mode", ENTITY_MODES)
    if schema == METER and mode in PRUNING:
        faults.add(f"has an invalid mode: {mode} is not supported for meters (use delete or purge)")
    fields, relations = _fields(item, faults), _relations(item, faults)
    allowed = tuple(METER_COLUMNS) if schema == METER else None
    unique_ids = _unique_ids(item.get("unique_ids"), "", allowed, fields, faults)
    if not unique_ids:
        faults.add("is missing unique_ids with at least one entry")
    return EntityItem(
        schema=schema,
        rows=_compiled_rows(item, faults),
        enabled=_flag(item, faults),
        unique_ids=unique_ids,
        fields=fields,
        relations=relations,
        mode=mode,
        scope=_entity_scope(item, mode, faults),
    )


def _relations(item: Mapping[str, Any], faults: _Faults) -> tuple[Relation, ...]:
    relations: list[Relation] = []
    sent = item.get("fields")
    for position, one in enumerate(sent if isinstance(sent, list) else []):
        if _is_relation(item, one):
            try:
                relations.append(compile_relation(one))
            except ValueError as error:
                faults.add(f"has a wrong field (fields[{position}]): {error}")
    return tuple(relations)


def _is_relation(item: Mapping[str, Any], field: Any) -> bool:
    return "entity_schema" in item and isinstance(field, Mapping) and "relations" in field


def _entity_scope(item: Mapping[str, Any], mode: str, faults: _Faults) -> EntityScope | None:
    scope = item.get("scope")
    if mode not in PRUNING:
        if scope is not None:
            faults.add(f"has a scope, which only {' and '.join(PRUNING)} take")
        return None
    try:
        return compile_scope(scope)
    except ValueError as error:
        faults.add(f"has a wrong scope: {error}")
        return None


def _fields(item: Mapping[str, Any], faults: _Faults) -> tuple[MappedField, ...]:
    sent = item.get("fields", [])
    if not isinstance(sent, list):
        faults.add("has fields that are no list")
        return ()
    fields: list[MappedField] = []
    for position, one in enumerate(sent):
        if _is_relation(item, one):
            continue
        try:
            fields.append(compile_field(one))
        except ValueError as error:
            faults.add(f"has a wrong field (fields[{position}]): {error}")
    return tuple(fields)


def _check_required(fields: tuple[MappedField, ...], mode: str, matching: str, faults: _Faults) -> None:
    required: tuple[str, ...] = REQUIRED
    if mode == "delete":
        required = ("timestamp",) if matching == "strict-date" else ("external_id",)
    mapped = {one.attribute for one in fields if one.enabled is not False}
    missing = [attribute for attribute in required if attribute not in mapped]
    if missing:
        faults.add(f"is missing required field attributes: {', '.join(missing)}")


def _check_constants(fields: tuple[MappedField, ...], faults: _Faults) -> None:
    checks = {
        "source": values.source,
        "reason": values.reason,
        "direction": values.direction,
        "timestamp": values.timestamp,
        "value": values.reading_value,
    }
    for one in fields:
        if one.getter.is_constant and one.attribute in checks:
            try:
                checks[one.attribute](one.getter.constant)
            except RowError as error:
                faults.add(f"has an invalid {one.attribute}: {_shown(one.getter.constant)} ({error.message})")


def _lookup(
    item: Mapping[str, Any], key: str, allowed: tuple[str, ...], fields: tuple[MappedField, ...], faults: _Faults
) -> tuple[MappedField, ...]:
    holder = item.get(key)
    if holder is None:
        return ()
    if not isinstance(holder, Mapping):
        faults.add(f"has a {key} that is no object")
        return ()
    faults.unknown({f"{key}.{name}": None for name in holder}, frozenset({f"{key}.unique_ids"}))
    return _unique_ids(holder.get("unique_ids"), f"{key}.", allowed, fields, faults)


def _unique_ids(
    sent: Any, prefix: str, allowed: tuple[str, ...] | None, fields: tuple[MappedField, ...], faults: _Faults
) -> tuple[MappedField, ...]:
    """Return what identifies something; a bare name is the mapped attribute of that name, else the row's field."""
    found: list[MappedField] = []
    for position, one in enumerate(sent if isinstance(sent, list) else []):
        where = f"{prefix}unique_ids[{position}]"
        try:
            if isinstance(one, str):
                mapped = [f for f in fields if f.attribute == one]
                entry = mapped[-1] if mapped else compile_field({"attribute": one, "field": one})
            else:
                entry = compile_field(one)
        except ValueError as error:
            faults.add(f"has a wrong entry ({where}): {error}")
            continue
        if allowed is not None and entry.attribute not in allowed:
            faults.add(f"has a wrong entry ({where}): {_shown(entry.attribute)} is none of {', '.join(allowed)}")
        found.append(replace(entry, enabled=True))
    return tuple(found)


def _compiled_rows(item: Mapping[str, Any], faults: _Faults) -> Getter | None:
    try:
        return compile_rows(item.get("jsonataExpression"))
    except ValueError as error:
        faults.add(f"has a wrong jsonataExpression: {error}")
        return None


def _flag(item: Mapping[str, Any], faults: _Faults) -> Getter | bool:
    try:
        return compile_flag(item.get("enabled", True))
    except ValueError as error:
        faults.add(f"has a wrong enabled: {error}")
        return True


def _scope(item: Mapping[str, Any], mode: str, faults: _Faults) -> str | None:
    scope = item.get("scope")
    if scope is None:
        return None
    if mode != "upsert-prune-scope":
        faults.add("has a scope, which only mode upsert-prune-scope takes")
    if not isinstance(scope, Mapping):
        faults.add("has a scope that is no object")
        return None
    for key in sorted(set(scope) - {"source"}):
        faults.add(f"has an unknown key: {_shown(f'scope.{key}')} (the scope is always meter and counter)")
    source = scope.get("source")
    if source is None:
        return None
    if not isinstance(source, str) or source not in values.SOURCES:
        faults.add(f"has an invalid scope.source: {_shown(source)} (must be one of {', '.join(values.SOURCES)})")
        return None
    return source


def _window(item: Mapping[str, Any], faults: _Faults) -> float:
    sent = item.get("deduplication_window_hours", DEFAULT_WINDOW_H)
    if isinstance(sent, bool) or not isinstance(sent, values.NUMBERS) or not 0 <= sent <= LARGEST_WINDOW_H:
        faults.add(f"has an invalid deduplication_window_hours (must be a number from 0 to {LARGEST_WINDOW_H})")
        return DEFAULT_WINDOW_H
    return float(sent)


def _series(item: Mapping[str, Any], faults: _Faults) -> str | None:
    name = item.get("default_series")
    if name is not None and not (
        isinstance(name, str) and len(name.strip()) > 0 and len(name) <= 50 and "\0" not in name
    ):
        faults.add("has an invalid default_series (must be the name of a series, 1 to 50 characters)")
        return None
    return name
