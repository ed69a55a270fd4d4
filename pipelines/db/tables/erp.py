"""Integrations, events, entities and what an ERP said of readings."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, UUID

from pipelines.db.tables.columns import SCHEMA, at, key, of_sensor, reference, table, text, uuid_id

erp_integration = table(
    "erp_integration",
    uuid_id(),
    reference("organization_id", "organization.id"),
    text("name", 100),
    text("use_case_slug", 255),
    sa.Column("default_series", sa.String(50), nullable=False, server_default="1-0:1.8.0"),
    sa.Column("configuration", JSONB, nullable=False),
    at("created_at"),
    at("updated_at"),
)
erp_event = table(
    "erp_event",
    uuid_id(),
    sa.Column("number", sa.BigInteger, sa.Identity(always=True), unique=True, nullable=False),
    reference("integration_id", "erp_integration.id"),
    text("deduplication_id", 255, nullable=True),
    text("correlation_id", 255, nullable=True),
    text("event_type", 255, nullable=True),
    text("use_case_slug", 255, nullable=True),
    at("occurred_at", nullable=True),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("state", sa.String(7), nullable=False, server_default="stored"),
    sa.Column("message", sa.String(500), nullable=False, server_default=""),
    sa.Column("attempts", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
    sa.Column("outcomes", JSONB(none_as_null=True)),
    sa.Column("trace", JSONB, nullable=False, server_default=sa.text("'[]'::jsonb")),
    at("created_at"),
    at("updated_at"),
    sa.UniqueConstraint("integration_id", "deduplication_id"),
)
erp_entity = table(
    "erp_entity",
    uuid_id(),
    reference("organization_id", "organization.id"),
    text("entity_schema", 100),
    sa.Column("unique_ids", JSONB, nullable=False),
    sa.Column("attributes", JSONB, nullable=False),
    at("deleted_at", nullable=True),
    at("created_at"),
    at("updated_at"),
    sa.Column("event_number", sa.BigInteger, nullable=False),
    reference("meter_device_id", "meter_device.id", nullable=True),
)
erp_reading = table(
    "erp_reading",
    sa.Column("device_id", sa.Integer, nullable=False),
    sa.Column("series_id", sa.Integer, nullable=False),
    sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
    text("external_id", 255, nullable=True),
    sa.Column("has_counter", sa.Boolean, nullable=False),
    text("direction", 8, nullable=True),
    text("reading_type", 255, nullable=True),
    text("source", 18),
    text("reason", 16, nullable=True),
    sa.Column("attributes", JSONB, nullable=False),
    sa.Column("was_measured", sa.Boolean, nullable=False),
    sa.Column("integration_id", UUID(as_uuid=True), nullable=False),
    sa.Column("event_id", UUID(as_uuid=True), nullable=False),
    at("created_at"),
    at("updated_at"),
    sa.Column("event_number", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("device_id", "timestamp", "series_id"),
    sa.UniqueConstraint("device_id", "external_id"),
    sa.ForeignKeyConstraint(
        ["device_id", "series_id"],
        [f"{SCHEMA}.reading_channel.device_id", f"{SCHEMA}.reading_channel.series_id"],
        ondelete="CASCADE",
    ),
)
erp_withdrawn_reading = table(
    "erp_withdrawn_reading",
    of_sensor("device_id"),
    key("series_id"),
    sa.Column("timestamp", sa.DateTime(timezone=True), primary_key=True),
    sa.Column("external_id", sa.String(255), primary_key=True),
    sa.Column("event_number", sa.BigInteger, nullable=False),
    at("withdrawn_at"),
)
