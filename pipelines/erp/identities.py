"""What identifies a meter, a counter or an entity in a row."""

from pipelines.erp import values
from pipelines.erp.getters import MappedField, Scope
from pipelines.erp.paths import ABSENT
from pipelines.erp.verdicts import Code, RowError

Identity = tuple[tuple[str, str], ...]


def identity(entries: tuple[MappedField, ...], scope: Scope) -> Identity | None:
    """Return what identifies a meter, a counter or an entity; None where nothing of it is given.

    Raises
    ------
    RowError
        A part is missing or cannot be an identifier.
    """
    found = []
    for entry in entries:
        value = entry.getter.get(scope)
        found.append((entry.attribute, values.identifier(entry.attribute, None if value is ABSENT else value)))
    known = tuple((attribute, value) for attribute, value in found if value is not None)
    if known and len(known) < len(found):
        missing = next(attribute for attribute, value in found if value is None)
        raise RowError(Code.MISSING_IDENTIFIER, f"Missing identifier {missing}", attribute=missing)
    return known or None
