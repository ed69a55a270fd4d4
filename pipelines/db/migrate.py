"""Bring a database to head: numbered migrations first, then the views, roles and comments under ``sql/``."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from analytics.quality import QUALITY_TABLE
from pipelines.db import timescale

ROOT = Path(__file__).resolve().parents[2]
# One number for every process that migrates the same database, so that two at once take turns.
_MIGRATION_LOCK = 7_761_747_701


def _config(connection: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """Return the newest revision that this release knows."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None  # noqa: S101 - the release ships migrations
    return revision


def current(connection: sa.Connection) -> str | None:
    """Return the revision of the database, None where it was never migrated."""
    if not connection.scalar(sa.text("SELECT to_regclass('wattloom.alembic_version') IS NOT NULL")):
        return None
    revision: str | None = connection.scalar(sa.text("SELECT version_num FROM wattloom.alembic_version"))
    return revision


def migrate(engine: sa.Engine) -> None:
    """Bring the database to head in one transaction; safe to repeat, and to run from two places at once."""
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        timescale.create_extension(connection)
        connection.execute(sa.text("CREATE SCHEMA IF NOT EXISTS wattloom"))
        command.upgrade(_config(connection), "head")
        for script in sorted((ROOT / "sql" / "analyst").glob("*.sql")):
            connection.exec_driver_sql(script.read_text(encoding="utf-8"))
        publish_quality_codes(connection)


def publish_quality_codes(connection: sa.Connection) -> None:
    """Write the quality codes of ``analytics.quality`` to the table that SQL joins."""
    connection.execute(
        sa.text(
            "INSERT INTO wattloom.quality_code (code, name, description, is_valid, counts_energy)"
            " VALUES (:code, :name, :description, :is_valid, :counts_energy)"
            " ON CONFLICT (code) DO UPDATE SET name = excluded.name, description = excluded.description,"
            " is_valid = excluded.is_valid, counts_energy = excluded.counts_energy"
        ),
        [row._asdict() for row in QUALITY_TABLE],
    )
