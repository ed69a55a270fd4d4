"""The tables of the registry by name."""

from pipelines.errors import NotFound
from pipelines.registry.customers import CUSTOMERS
from pipelines.registry.dictionary import Table
from pipelines.registry.meters import METERS

TABLES: dict[str, Table] = {table.name: table for table in (CUSTOMERS, METERS)}


def table_named(name: str) -> Table:
    """Return a table.

    Raises
    ------
    NotFound
        There is none of this name.
    """
    if name not in TABLES:
        raise NotFound
    return TABLES[name]
