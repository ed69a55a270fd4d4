"""Imports as the command does them, into an organization of one test alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from pipelines.db.engine import unit_of_work
from pipelines.registry import imports
from pipelines.registry.catalogue import TABLES
from pipelines.registry.contents import Content
from pipelines.registry.importing import Options, import_content
from pipelines.registry.imports import Limit
from pipelines.settings import Settings

Rows = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Registry:
    """An organization's registry."""

    engine: sa.Engine
    settings: Settings
    organization: UUID
    number: int

    def bring(self, table: str, data: bytes | str, **options: Any) -> dict[str, Any]:
        """Import a content; return what the import shows of itself."""
        content = Content(data=data.encode() if isinstance(data, str) else data)
        limit = options.pop("max_rejected", None)
        chosen = Options(limit=Limit.parse(limit) if limit else None, **options)
        row = import_content(self.engine, self.settings, self.organization, TABLES[table], content, chosen)
        return imports.shown(row)

    def verdicts(self, made: dict[str, Any]) -> list[tuple[Any, ...]]:
        with unit_of_work(self.engine) as connection:
            row = imports.get(connection, self.number, made["id"])
            found = imports.verdicts(connection, row, limit=1000)
        return [(one["row"], one["column"], one["code"]) for one in found]

    def rows(self, table: str) -> Rows:
        stored = TABLES[table].stored_in
        with unit_of_work(self.engine) as connection:
            query = sa.text(f"SELECT * FROM wattloom.{stored} WHERE organization_id = :o ORDER BY uid")
            return [dict(row._mapping) for row in connection.execute(query, {"o": self.number})]


@pytest.fixture
def registry(engine: sa.Engine, settings: Settings, organization: dict[str, Any]) -> Registry:
    made = organization["organization"]
    return Registry(engine=engine, settings=settings, organization=UUID(made["id"]), number=made["number"])


@pytest.fixture
def another(engine: sa.Engine, settings: Settings) -> Callable[[str], Registry]:
    def make(name: str) -> Registry:
        from pipelines.accounts.organizations import create_organization  # noqa: PLC0415

        with unit_of_work(engine) as connection:
            made = create_organization(connection, name)["organization"]
        return Registry(engine=engine, settings=settings, organization=UUID(made["id"]), number=made["number"])

    return make
