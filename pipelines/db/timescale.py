"""What a server can do beyond plain PostgreSQL, and the steps that only TimescaleDB Community has."""

from sqlalchemy import Connection, Engine, text


def has_community_features(connection: Connection) -> bool:
    """Tell whether hypertables, columnstore and continuous aggregates may be used here.

    The extension must be installed in this database under the license setting ``timescale``; the Apache-only
    build counts as plain PostgreSQL.
    """
    return bool(
        connection.scalar(
            text(
                "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')"
                " AND current_setting('timescaledb.license', true) = 'timescale'"
            )
        )
    )


def create_extension(connection: Connection) -> None:
    """Install the extension where the server ships it and the role may do so; else leave the database plain."""
    available = connection.scalar(
        text("SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')")
    )
    if available and not connection.scalar(
        text("SELECT EXISTS (SELECT FROM pg_extension WHERE extname='timescaledb')")
    ):
        connection.execute(text("SET LOCAL client_min_messages = warning"))
        connection.execute(text("CREATE EXTENSION timescaledb"))


def compress_due(engine: Engine) -> int:
    """Move chunks whose time for corrections is over to the columnstore; return how many (0 on plain PostgreSQL).

    The database's own policy does the same, but is only a safety net: its scheduler is not depended on.
    """
    with engine.connect() as connection:
        if not has_community_features(connection):
            return 0
        chunks = connection.execute(
            text(
                "SELECT format('%I.%I', c.chunk_schema, c.chunk_name) FROM timescaledb_information.chunks AS c"
                " JOIN timescaledb_information.jobs AS j ON j.proc_name IN ('policy_compression', 'policy_columnstore')"
                " AND (j.hypertable_schema, j.hypertable_name) = (c.hypertable_schema, c.hypertable_name)"
                " WHERE c.hypertable_schema = 'wattloom' AND NOT c.is_compressed"
                " AND c.range_end < now() - (j.config ->> 'compress_after')::interval"
            )
        ).scalars()
        due = list(chunks)
    for chunk in due:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("CALL convert_to_columnstore(CAST(:chunk AS regclass))"), {"chunk": chunk})
    return len(due)


def failed_jobs(engine: Engine) -> list[str]:
    """Return one line per background job of the database that failed in the last day."""
    with engine.connect() as connection:
        if not has_community_features(connection):
            return []
        rows = connection.execute(
            text(
                "SELECT format('%s: %s', proc_name, err_message) FROM timescaledb_information.job_errors"
                " WHERE start_time > now() - INTERVAL '1 day' ORDER BY start_time"
            )
        )
        return list(rows.scalars())
