"""The migrations make exactly the shape that the tables in Python say, from empty, again, down and up, at once."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from pipelines.db.engine import create_engine, raw
from pipelines.db.migrate import _config, current, head, migrate
from pipelines.db.tables import SCHEMA, metadata
from tests.conftest import with_database

ROOT = Path(__file__).resolve().parents[2]
ROLLUPS = {"energy_hourly_v1", "energy_daily_utc_v1"}  # tables or continuous aggregates, never written by Core


@pytest.fixture
def empty_url(server_url: str) -> Iterator[str]:
    name = f"empty_{uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield with_database(server_url, name)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def empty(empty_url: str) -> Iterator[sa.Engine]:
    engine = create_engine(empty_url, pool_size=2)
    yield engine
    engine.dispose()


SHAPE = """
    SELECT table_schema, table_name, column_name, data_type, is_nullable, column_default, identity_generation,
           character_maximum_length, ordinal_position
    FROM information_schema.columns WHERE table_schema IN ('wattloom', 'analyst') ORDER BY 1, 2, 9
"""
INDEXES = "SELECT schemaname, indexname, indexdef FROM pg_indexes WHERE schemaname = 'wattloom' ORDER BY 2"
CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'wattloom'::regnamespace ORDER BY 1, 2
"""


def shape(engine: sa.Engine) -> list[list[tuple[object, ...]]]:
    with engine.connect() as connection:
        return [
            [tuple(row) for row in connection.exec_driver_sql(query)] for query in (SHAPE, INDEXES, CONSTRAINTS)
        ]


def test_an_empty_database_comes_to_head_and_a_second_run_changes_nothing(empty: sa.Engine):
    migrate(empty)
    first = shape(empty)
    with empty.connect() as connection:
        assert current(connection) == head()
    migrate(empty)
    assert shape(empty) == first
    assert len(first[0]) > 100


def test_the_tables_in_python_are_those_of_the_database(engine: sa.Engine):
    def include(_object: object, name: str | None, kind: str, *_: object) -> bool:
        return not (kind == "table" and name in ROLLUPS | {"alembic_version"})

    def include_name(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "schema" or name == SCHEMA

    with engine.connect() as connection:
        options = {
            "include_schemas": True,
            "include_object": include,
            "include_name": include_name,
            "compare_type": True,
            "compare_server_default": True,
        }
        context = MigrationContext.configure(connection, opts=options)
        differences = compare_metadata(context, metadata)
    # Indexes are the database's own business: queries in Python do not name them.
    assert [d for d in differences if not (isinstance(d, tuple) and d[0] == "remove_index")] == []


def test_the_order_and_nullability_of_columns_are_those_of_the_database(engine: sa.Engine):
    with engine.connect() as connection:
        for table in metadata.sorted_tables:
            rows = connection.execute(
                sa.text(
                    "SELECT column_name, is_nullable = 'YES' FROM information_schema.columns"
                    " WHERE table_schema = :s AND table_name = :t ORDER BY ordinal_position"
                ),
                {"s": SCHEMA, "t": table.name},
            )
            assert [tuple(r) for r in rows] == [(c.name, c.nullable) for c in table.columns], table.name


def test_every_foreign_key_has_an_index_for_its_deletes(engine: sa.Engine):
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(
            """
            SELECT c.conrelid::regclass::text, c.conname FROM pg_constraint AS c
            WHERE c.contype = 'f' AND c.connamespace = 'wattloom'::regnamespace AND NOT EXISTS (
                SELECT FROM pg_index AS i WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1])
            ORDER BY 1
            """
        )
        missing = {(table.removeprefix("wattloom."), name) for table, name in rows}
    # Small tables whose parents are hardly ever deleted.
    assert {table for table, _ in missing} <= {"api_token", "api_client", "refresh_token", "source"}


def test_down_and_up_again_gives_the_same_shape(empty: sa.Engine):
    migrate(empty)
    before = shape(empty)
    with empty.begin() as connection:
        command.downgrade(_config(connection), "base")
    with empty.connect() as connection:
        left = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_tables"
            " WHERE schemaname IN ('wattloom', 'analyst') AND tablename <> 'alembic_version'"
        ).scalar()
    assert left == 0
    migrate(empty)
    assert shape(empty) == before


def test_two_processes_that_migrate_at_once_take_turns(empty_url: str, empty: sa.Engine):
    script = (
        "import sys; from pipelines.db.engine import create_engine; from pipelines.db.migrate import migrate;"
        " migrate(create_engine(sys.argv[1]))"
    )
    command_line = [sys.executable, "-c", script, empty_url]
    running = [
        subprocess.Popen(command_line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)
    ]
    for process in running:
        _, errors = process.communicate(timeout=50)
        assert process.returncode == 0, errors.decode()
    with empty.connect() as connection:
        assert current(connection) == head()


def test_migrations_run_in_a_database_where_views_of_an_earlier_release_stand(empty: sa.Engine):
    migrate(empty)
    with empty.begin() as connection:
        connection.exec_driver_sql(
            "CREATE VIEW analyst.of_an_earlier_release AS SELECT sensor_id FROM analyst.meters"
        )
    migrate(empty)
    with empty.connect() as connection:
        assert connection.exec_driver_sql("SELECT to_regclass('analyst.of_an_earlier_release')").scalar() is None


def test_quality_codes_are_published_as_analytics_defines_them(engine: sa.Engine):
    from analytics.quality import QUALITY_TABLE  # noqa: PLC0415

    with engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT code, name, description, is_valid, counts_energy FROM wattloom.quality_code ORDER BY code"
        )
        assert [tuple(row) for row in rows] == [tuple(row) for row in QUALITY_TABLE]


def test_no_query_text_of_the_project_is_built_from_values():
    """SQL in Python is composed of constants; a pasted value would show as a quoted format field."""
    pattern = re.compile(r"""f["'].*(SELECT|INSERT|UPDATE|DELETE).*'\{""")
    offenders = [
        str(path)
        for path in (ROOT / "pipelines").rglob("*.py")
        if pattern.search(path.read_text(encoding="utf-8"))
    ]
    assert offenders == []


OLD_RESULT = """
    INSERT INTO wattloom.disaggregation_run (device_id, month, model_version, computed_at, timezone,
        expected_intervals, valid_intervals, inputs, confidence)
    VALUES (7, '2024-02-01', '1.0.0', now(), 'UTC', 1392, 1390, '{}', '{"standby": 0.5, "others": 0.25}');
    INSERT INTO wattloom.disaggregation_day
    SELECT 7, day::date, 5000 * n, 5 * n, 48, 47 FROM generate_series('2024-02-01'::date, '2024-02-29', '1 day')
        WITH ORDINALITY AS d (day, n);
    INSERT INTO wattloom.appliance_energy
    SELECT 7, day, key, CASE key WHEN 'others' THEN total_mwh - 2 ELSE 2 END
    FROM wattloom.disaggregation_day, unnest(ARRAY['standby', 'others']) AS k (key);
"""
OLD_ROWS = (
    "SELECT * FROM wattloom.disaggregation_day ORDER BY 1, 2",
    "SELECT * FROM wattloom.appliance_energy ORDER BY 1, 2, 3",
    "SELECT device_id, month, model_version, timezone, confidence, inputs FROM wattloom.disaggregation_run",
)


def test_results_survive_their_way_into_rows_of_arrays_and_back(empty: sa.Engine):
    migrate(empty)
    with empty.begin() as connection:
        command.downgrade(_config(connection), "0006")
        raw(connection).execute(OLD_RESULT.encode())
        before = [list(raw(connection).execute(query.encode())) for query in OLD_ROWS]
    migrate(empty)
    with empty.begin() as connection:
        ((total, parts, appliances),) = raw(connection).execute(
            "SELECT total_mwh, parts_mwh, appliances FROM wattloom.disaggregation_month"
        )
        ((shown,),) = raw(connection).execute("SELECT count(*) FROM analyst.appliance_daily WHERE sensor_id = 7")
        command.downgrade(_config(connection), "0006")
        after = [list(raw(connection).execute(query.encode())) for query in OLD_ROWS]
    assert appliances == ["others", "standby"]
    assert total == [5 * n for n in range(1, 30)]
    assert parts == [5 * n - 2 for n in range(1, 30)] + [2] * 29
    assert shown == 0  # there is no meter 7
    assert after == before


OLD_CYCLES = """
    INSERT INTO wattloom.disaggregation_month
    SELECT d, month::date, '2.0.0', now(), 'UTC', '{others}', '{0}', '{0}', '{0}', '{48}', '{48}', '{1}', '{0}', '{0}',
           '{}'
    FROM unnest(ARRAY[7, 8]) AS k (d), generate_series('2024-02-01'::date, '2024-03-01', '1 month') AS m (month);
    INSERT INTO wattloom.appliance_cycle VALUES
        (7, 'electric_vehicle', '2024-02-29', '2024-02-29T22:00:00.123456Z', '2024-03-01T00:00Z', false, 5),
        (7, 'electric_vehicle', '2024-03-01', '2024-03-01T00:00Z', '2024-03-01T01:30Z', true, 2),
        (7, 'cooking', '2024-03-01', '2024-03-01T17:00Z', '2024-03-01T18:00Z', false, 9),
        (8, 'washing', '2024-03-31', '2024-03-31T17:00Z', '2024-03-31T18:00Z', false, 3);
    INSERT INTO wattloom.day_profile VALUES
        (7, '2024-02-29', decode('01000000' || repeat('00', 12 + 8 * 300), 'hex')),
        (7, '2024-03-01', decode('02000000' || repeat('00', 12 + 24 * 2), 'hex')),
        (7, '2024-03-02', decode('01000000' || repeat('00', 12 + 8 * 65536), 'hex'));
"""


def test_cycles_survive_their_way_into_the_row_of_their_month_and_back(empty: sa.Engine):
    rows = b"SELECT * FROM wattloom.appliance_cycle ORDER BY device_id, start_at"
    migrate(empty)
    with empty.begin() as connection:
        command.downgrade(_config(connection), "0007")
        raw(connection).execute(OLD_CYCLES.encode())
        before = list(raw(connection).execute(rows))
    migrate(empty)
    with empty.begin() as connection:
        kept = list(
            raw(connection).execute(
                "SELECT cycle_appliances[cycle_class[1]], cycle_day, cycle_energy_mwh"
                " FROM wattloom.disaggregation_month ORDER BY device_id, month"
            )
        )
        counts = list(
            raw(connection).execute(
                "SELECT get_byte(intervals, 2) + 256 * get_byte(intervals, 3) FROM wattloom.day_profile ORDER BY day"
            )
        )
        command.downgrade(_config(connection), "0007")
        after = list(raw(connection).execute(rows))
    assert kept == [
        ("electric_vehicle", [29], [5]),
        ("cooking", [1, 1], [9, 2]),
        (None, [], []),
        ("washing", [31], [3]),
    ]
    assert counts == [(300,), (2,)]  # more intervals than two bytes can count are read from where they are
    assert len(before) == 4
    assert after == before
