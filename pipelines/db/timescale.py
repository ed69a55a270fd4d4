"""What a server can do beyond plain PostgreSQL, and the steps that only TimescaleDB Community has."""

from sqlalchemy import Connection, text


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
    if available and not connection.scalar(text("SELECT EXISTS (SELECT FROM pg_extension WHERE extname='timescaledb')")):
        connection.execute(text("SET LOCAL client_min_messages = warning"))
        connection.execute(text("CREATE EXTENSION timescaledb"))
