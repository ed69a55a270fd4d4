"""The analyst's role reads every analyst view, and nothing else."""

import secrets
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from pipelines.db.engine import unit_of_work
from pipelines.db.migrate import migrate
from tests.integration.world import QUARTER, T0, World

pytestmark = pytest.mark.xdist_group("analyst")  # the role, and its password, belong to the whole server
ROLE = "wattloom_analyst"
VIEWS = {
    "readings",
    "interval_energy",
    "energy_hourly",
    "energy_daily",
    "appliance_daily",
    "appliance_monthly",
    "appliance_cycles",
    "meters",
    "staged_readings",
    "customers",
    "registry_meters",
    "imports",
    "weather",
}


@pytest.fixture
def world(engine: sa.Engine, organization: dict[str, dict[str, str]]) -> World:
    return World(engine, organization["organization"]["id"])


@pytest.fixture
def analyst(engine: sa.Engine, database_url: str) -> Iterator[psycopg.Connection]:
    """A session of the role, with a password that lives as long as the test."""
    password = secrets.token_urlsafe(16)
    alter = sql.SQL("ALTER ROLE {} PASSWORD {}")
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(alter.format(sql.Identifier(ROLE), sql.Literal(password)))
        try:
            with psycopg.connect(database_url, user=ROLE, password=password, autocommit=True) as connection:
                yield connection
        finally:
            owner.execute(alter.format(sql.Identifier(ROLE), sql.SQL("NULL")))


def relations(engine: sa.Engine, schema: str) -> list[str]:
    with engine.connect() as connection:
        query = sa.text(
            "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(:s) AND relkind IN ('r','v','m','p','f')"
        )
        return sorted(connection.scalars(query, {"s": schema}))


def test_the_analyst_reads_every_view(engine: sa.Engine, analyst: psycopg.Connection):
    views = relations(engine, "analyst")
    assert set(views) >= VIEWS
    for view in views:
        analyst.execute(sql.SQL("SELECT * FROM analyst.{}").format(sql.Identifier(view)))


def test_the_analyst_sees_what_was_stored_in_the_units_the_comments_say(world: World, analyst: psycopg.Connection):
    series = world.series()
    device = world.device(series, zone="Asia/Kathmandu", has_current_transformer=False)
    world.write((device, series, T0 + n * QUARTER, n) for n in range(9))
    world.work_off()
    assert analyst.execute("SELECT sum(energy_wh), count(*) FROM analyst.interval_energy").fetchone() == (8000, 8)
    assert analyst.execute("SELECT sum(energy_wh) FROM analyst.energy_hourly").fetchone() == (8000,)
    days = analyst.execute("SELECT day::text, timezone, energy_wh FROM analyst.energy_daily").fetchall()
    assert days == [("2024-01-01", "Asia/Kathmandu", 8000)]
    meters = analyst.execute("SELECT timezone, first_reading_at, last_reading_at FROM analyst.meters").fetchall()
    assert meters == [("Asia/Kathmandu", T0, T0 + 8 * QUARTER)]


@pytest.mark.parametrize("schema", ["wattloom", "public"])
def test_the_analyst_is_refused_everything_else(engine: sa.Engine, analyst: psycopg.Connection, schema):
    found = relations(engine, schema)
    assert found or schema == "public"
    for name in found:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            analyst.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, name)))


def test_the_analyst_reads_no_rows_of_any_other_schema(engine: sa.Engine, analyst: psycopg.Connection):
    """Nothing outside the analyst's schema and the system catalogues can be read, TimescaleDB's chunks included."""
    query = """
        SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'v', 'm', 'p') AND n.nspname NOT IN ('analyst', 'pg_catalog', 'information_schema')
          AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
    """
    readable = {tuple(row) for row in analyst.execute(query).fetchall()}
    foreign = {row for row in readable if "timescaledb" not in row[0]}
    assert foreign == set()
    # TimescaleDB lets everyone read its catalogue of names, never a chunk.
    assert not [row for row in readable if row[0] == "_timescaledb_internal" and row[1].startswith("_hyper")]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE analyst.mine (a int)",
        "CREATE TABLE public.mine (a int)",
        "CREATE SCHEMA mine",
        "DELETE FROM analyst.readings",
        "UPDATE analyst.meters SET meter_name = 'x'",
        "INSERT INTO analyst.staged_readings DEFAULT VALUES",
        "SELECT rolpassword FROM pg_authid",
        "SET ROLE postgres",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    ],
)
def test_the_analyst_changes_and_reaches_nothing(analyst: psycopg.Connection, statement):
    refused = (
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.InvalidParameterValue,  # there is no such role
        psycopg.errors.ObjectNotInPrerequisiteState,  # a view of joins takes no rows from anyone
    )
    with pytest.raises(refused):
        analyst.execute(statement)


def test_every_view_and_every_column_is_explained(engine: sa.Engine):
    with engine.connect() as connection:
        bare = connection.exec_driver_sql(
            """
            SELECT c.relname, a.attname FROM pg_class AS c
            JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            WHERE c.relnamespace = 'analyst'::regnamespace AND col_description(c.oid, a.attnum) IS NULL
            UNION ALL
            SELECT relname, NULL FROM pg_class
            WHERE relnamespace = 'analyst'::regnamespace AND obj_description(oid, 'pg_class') IS NULL
            """
        ).all()
    assert bare == []


def test_a_password_set_by_an_operator_survives_a_migration(engine: sa.Engine, analyst: psycopg.Connection):
    def digest() -> object:
        with unit_of_work(engine) as connection:
            return connection.exec_driver_sql(
                f"SELECT rolpassword FROM pg_authid WHERE rolname = '{ROLE}'"
            ).scalar()

    before = digest()
    migrate(engine)
    assert digest() == before
    assert before is not None
    analyst.execute("SELECT * FROM analyst.meters")
