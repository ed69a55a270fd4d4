"""Alembic's entry: runs on the connection it is handed, or on the configured database from the command line."""

from alembic import context

from pipelines.db.tables import SCHEMA, metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("run migrations with: wattloom db migrate")
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table_schema=SCHEMA,
    include_schemas=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
