"""Relations of entities: kept as references by what identifies the other entity, which need not be known yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.erp.getters import Getter, MappedField, Scope, compile_field, compile_flag, is_enabled
from pipelines.erp.identities import identity

OPERATIONS = ("_set", "_append", "_append_all")
MARK = "$relation"
Reference = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Related:
    """How another entity is named: its schema and what identifies it."""

    schema: str
    unique_ids: tuple[MappedField, ...]

    def reference(self, scope: Scope) -> Reference | None:
        """Return the reference that a row gives; None where it gives none.

        Raises
        ------
        RowError
            A part of what identifies the entity is missing.
        """
        known = identity(self.unique_ids, scope)
        return None if known is None else {"entity_schema": self.schema, "unique_ids": dict(known)}


@dataclass(frozen=True, kw_only=True)
class Relation:
    """An attribute that refers to other entities: the references replace or join those that it has."""

    attribute: str
    operation: str
    items: tuple[Related, ...]
    enabled: Getter | bool

    def references(self, scope: Scope) -> list[Reference] | None:
        """Return the references that a row gives; None where the relation is switched off for it."""
        if not is_enabled(self.enabled, scope):
            return None
        return [one for item in self.items if (one := item.reference(scope)) is not None]


def compile_relation(sent: Mapping[str, Any]) -> Relation:
    """Return a field with ``relations``.

    Raises
    ------
    ValueError
        It is malformed; the text says how.
    """
    given = sent["relations"]
    unknown = sorted(set(sent) - {"attribute", "relations", "enabled"})
    if unknown:
        raise ValueError(f"{', '.join(unknown)[:100]} is not supported beside relations")
    if not isinstance(given, Mapping) or set(given) - {"operation", "items"}:
        raise ValueError("relations must be an object of operation and items")
    operation = given.get("operation", "_set")
    if operation not in OPERATIONS:
        raise ValueError(f"operation must be one of {', '.join(OPERATIONS)}")
    items = given.get("items")
    if not isinstance(items, list) or not items:
        raise ValueError("relations.items must be a list with at least one entry")
    attribute = compile_field({"attribute": sent.get("attribute"), "constant": None}).attribute
    return Relation(
        attribute=attribute,
        operation=operation,
        items=tuple(compile_related(item, "entity_schema") for item in items),
        enabled=compile_flag(sent.get("enabled", True)),
    )


def compile_related(sent: Any, schema_key: str) -> Related:
    """Return how another entity is named.

    Raises
    ------
    ValueError
        It is malformed; the text says how.
    """
    if not isinstance(sent, Mapping):
        raise ValueError("a related entity must be an object")  # noqa: TRY004 - a fault of input
    schema, entries = sent.get(schema_key), sent.get("unique_ids")
    if not isinstance(schema, str) or not 0 < len(schema) <= 100 or "\0" in schema:
        raise ValueError(f"a related entity needs {schema_key}, a text of 1 to 100 characters")
    if not isinstance(entries, list) or not entries:
        raise ValueError("a related entity needs unique_ids with at least one entry")
    return Related(schema=schema, unique_ids=tuple(compile_field(entry) for entry in entries))


def joined(before: Any, operation: str, references: list[Reference]) -> dict[str, Any]:
    """Return the value of an attribute after an operation: ``_append`` adds what is not there, ``_append_all`` all."""
    kept = before.get(MARK) if isinstance(before, dict) and operation != "_set" else None
    found: list[Reference] = list(kept) if isinstance(kept, list) else []
    for one in references:
        if operation != "_append" or one not in found:
            found.append(one)
    return {MARK: found}
