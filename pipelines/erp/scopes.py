"""The scope of pruning entities: by attributes, or by what they are related to; read from the payload as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.erp.getters import Document, MappedField, Rows, Scope, compile_field
from pipelines.erp.paths import ABSENT
from pipelines.erp.payloads import storable
from pipelines.erp.relations import Related, compile_related
from pipelines.erp.verdicts import Code, RowError

MODES = ("relations", "query")


@dataclass(frozen=True, kw_only=True)
class EntityScope:
    """Either the attributes that entities in scope have, or the entity that they are related to."""

    query: tuple[MappedField, ...] = ()
    related: Related | None = None

    def condition(self, document: Document) -> tuple[str, Any]:
        """Return a condition on ``attributes`` and the JSON that it is about.

        Raises
        ------
        RowError
            The payload does not say what the scope is.
        """
        root = Scope(Rows(document, [document.exact]), 0)
        if self.related is not None:
            reference = self.related.reference(root)
            if reference is None:
                raise _unclear(self.related.unique_ids[0].attribute)
            return (
                "EXISTS (SELECT FROM jsonb_each(attributes) AS a WHERE a.value -> '$relation' @> %(scope)s::jsonb)",
                [reference],
            )
        wanted: dict[str, Any] = {}
        for one in self.query:
            value = one.getter.get(root)
            if value is ABSENT or value is None or value == "":
                raise _unclear(one.attribute)
            wanted[one.attribute] = storable(value)
        return "attributes @> %(scope)s::jsonb", wanted


def _unclear(attribute: str) -> RowError:
    message = f"The payload does not give {attribute[:100]} of the scope; nothing was pruned"
    return RowError(Code.MISSING_IDENTIFIER, message, attribute=attribute[:100])


def compile_scope(sent: Any) -> EntityScope:
    """Return the scope of a prune mode.

    Raises
    ------
    ValueError
        It is malformed; the text says how.
    """
    mode = sent.get("scope_mode") if isinstance(sent, Mapping) else None
    if mode not in MODES:
        raise ValueError(f"scope_mode must be one of {', '.join(MODES)}")
    allowed = {"scope_mode", "query"} if mode == "query" else {"scope_mode", "schema", "unique_ids"}
    if unknown := sorted(set(sent) - allowed):
        raise ValueError(f"{', '.join(unknown)[:100]} is not supported with scope_mode {mode}")
    if mode == "relations":
        return EntityScope(related=compile_related(sent, "schema"))
    entries = sent.get("query")
    if not isinstance(entries, list) or not entries:
        raise ValueError("query must be a list with at least one entry")
    return EntityScope(query=tuple(compile_field(entry) for entry in entries))
