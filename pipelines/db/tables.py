"""The stored shape as SQLAlchemy tables: the vocabulary of every query that Python writes.

Migrations define the shape; a test proves that the two are equal. Tables of readings and energy are written
by binary COPY (``pipelines.db.bulk``), all others by SQLAlchemy Core.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, UUID

from pipelines.db import registry_tables, shape
from pipelines.db.shape import at as _at
from pipelines.db.shape import count as _count
from pipelines.db.shape import flag as _flag
from pipelines.db.shape import key as _key
from pipelines.db.shape import link as _link
from pipelines.db.shape import number_id as _number_id
from pipelines.db.shape import of_sensor as _of_sensor
from pipelines.db.shape import reference as _reference
from pipelines.db.shape import table as _table
from pipelines.db.shape import text as _text
from pipelines.db.shape import uuid_id as _id

SCHEMA = shape.SCHEMA
metadata = shape.metadata

organization = _table(
    "organization",
    _id(),
    sa.Column("number", sa.Integer, sa.Identity(always=True), unique=True, nullable=False),
    _text("name", 64),
    _flag("is_active", "true"),
    _reference("created_by_id", "organization.id", nullable=True, on_delete="SET NULL"),
    _at("created_at"),
    _at("updated_at"),
)
app_user = _table(
    "app_user",
    _id(),
    _text("username", 150, unique=True),
    sa.Column("password_hash", sa.Text),
    _flag("is_staff"),
    _flag("is_active", "true"),
    _at("created_at"),
)
organization_member = _table(
    "organization_member",
    _number_id(),
    _reference("organization_id", "organization.id"),
    _reference("user_id", "app_user.id"),
    _at("created_at"),
    _at("updated_at"),
    sa.UniqueConstraint("organization_id", "user_id"),
)
api_token = _table(
    "api_token",
    _id(),
    _reference("user_id", "app_user.id"),
    _reference("organization_id", "organization.id"),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    _at("created_at"),
    _at("revoked_at", nullable=True),
)
api_client = _table(
    "api_client",
    _id(),
    _reference("organization_id", "organization.id"),
    _text("client_id", 64, unique=True),
    sa.Column("secret_digest", sa.LargeBinary, nullable=False),
    _at("created_at"),
    _at("revoked_at", nullable=True),
)
refresh_token = _table(
    "refresh_token",
    _id(),
    _reference("api_client_id", "api_client.id"),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    _at("created_at"),
    _at("expires_at"),
    _at("revoked_at", nullable=True),
)
source = _table(
    "source",
    _number_id(),
    _reference("organization_id", "organization.id"),
    _text("name", 64),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("state", sa.String(8), nullable=False, server_default="active"),
    _at("created_at"),
)

meter_reading_series = _table(
    "meter_reading_series",
    _id(),
    sa.Column("series_key", sa.Integer, sa.Identity(always=True), unique=True, nullable=False),
    _reference("organization_id", "organization.id"),
    _text("name", 50),
    sa.Column("description", sa.String(250), nullable=False, server_default=""),
    _text("unit", 10),
    _text("unit_description", 250, nullable=True),
    sa.Column("si_multiplier", sa.Numeric, nullable=False, server_default=sa.text("1")),
    _flag("affected_by_ct_ratio"),
    _flag("affected_by_vt_ratio"),
    _text("kind", 13, nullable=True),
    sa.Column("register_digits", sa.SmallInteger),
    sa.Column("interval_s", sa.Integer),
    _at("created_at"),
    _at("updated_at"),
)
meter_device_config = _table(
    "meter_device_config",
    _id(),
    _reference("organization_id", "organization.id"),
    _text("name", 50),
    sa.Column("timezone", sa.String(64), nullable=False, server_default="UTC"),
    _at("created_at"),
    _at("updated_at"),
)
meter_device_config_series = _link(
    "meter_device_config_series", config_id="meter_device_config", series_id="meter_reading_series"
)
meter_device_type = _table(
    "meter_device_type",
    _id(),
    _reference("organization_id", "organization.id"),
    _text("name", 50),
    sa.Column("description", sa.String(500), nullable=False, server_default=""),
    _text("manufacturer", 100),
    _text("manufacturer_model", 50),
    _reference("config_id", "meter_device_config.id", nullable=True, on_delete="SET NULL"),
    _at("created_at"),
    _at("updated_at"),
)
sim_card = _table(
    "sim_card",
    _id(),
    _reference("organization_id", "organization.id"),
    _text("iccid", 20),
    _text("imsi", 15),
    _text("ip_address", 45, nullable=True),
    _text("phone_number", 30, nullable=True),
    _text("external_system_link", 200, nullable=True),
    _at("created_at"),
    _at("updated_at"),
)
network_interface = _table(
    "network_interface",
    _id(),
    _reference("organization_id", "organization.id"),
    _text("static_ip_address", 45, nullable=True),
    _text("fqdn", 200, nullable=True),
    sa.Column("port", sa.Integer),
    _reference("sim_id", "sim_card.id", nullable=True, on_delete="SET NULL"),
    _flag("can_block", "true"),
    _text("blocked_by", 100, nullable=True),
    _at("blocked_at", nullable=True),
    _at("blocked_until", nullable=True),
    sa.Column("lease_token", UUID(as_uuid=True)),
    _count("failures"),
    _at("circuit_open_until", nullable=True),
    _at("created_at"),
    _at("updated_at"),
)
amr_task = _table(
    "amr_task",
    _id(),
    _reference("organization_id", "organization.id"),
    _text("name", 150),
    sa.Column("description", sa.String(500), nullable=False, server_default=""),
    _flag("is_active", "true"),
    _text("schedule", 9),
    _count("run_offset_seconds"),
    _text("meter_execution_type", 20),
    _text("task_call", 50),
    sa.Column("task_kwargs", JSONB(none_as_null=True)),
    _at("created_at"),
    _at("updated_at"),
)
amr_task_group = _table(
    "amr_task_group",
    _id(),
    _reference("organization_id", "organization.id"),
    _text("name", 150),
    sa.Column("description", sa.String(500), nullable=False, server_default=""),
    _at("created_at"),
    _at("updated_at"),
)
amr_task_group_task = _link("amr_task_group_task", group_id="amr_task_group", task_id="amr_task")

meter_device = _table(
    "meter_device",
    _id(),
    sa.Column("sensor_id", sa.Integer, sa.Identity(always=True), unique=True, nullable=False),
    _reference("organization_id", "organization.id"),
    _text("name", 50),
    _text("external_system_reference", 50, nullable=True),
    _text("manufacturer_serial", 50, nullable=True),
    _text("protocol", 12),
    _text("iec62056_21_address", 8, nullable=True),
    _text("dlms_logical_device_name", 32, nullable=True),
    _text("dlms_system_title", 16, nullable=True),
    _reference("type_id", "meter_device_type.id", nullable=True, on_delete="SET NULL"),
    _flag("has_current_transformer"),
    sa.Column("current_transformer_ratio", sa.Integer, nullable=False, server_default=sa.text("1")),
    _flag("has_voltage_transformer"),
    sa.Column("voltage_transformer_ratio", sa.Integer, nullable=False, server_default=sa.text("1")),
    _flag("has_disconnector"),
    sa.Column("disconnector_status", sa.SmallInteger),
    _at("created_at"),
    _at("updated_at"),
    _reference("network_interface_id", "network_interface.id", nullable=True, on_delete="SET NULL"),
    sa.UniqueConstraint("organization_id", "name"),
)
meter_device_task_group = _link("meter_device_task_group", device_id="meter_device", group_id="amr_task_group")
meter_device_task = _link("meter_device_task", device_id="meter_device", task_id="amr_task")
organization_key = _table(
    "organization_key",
    sa.Column(
        "organization_id",
        UUID(as_uuid=True),
        sa.ForeignKey(f"{SCHEMA}.organization.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    _key("version"),
    sa.Column("wrapped_key", sa.LargeBinary, nullable=False),
    _at("created_at"),
)
meter_security_key = _table(
    "meter_security_key",
    _id(),
    _reference("organization_id", "organization.id"),
    _reference("meter_device_id", "meter_device.id"),
    sa.Column("key_version", sa.Integer, nullable=False),
    sa.Column("iec62056_21_password", sa.LargeBinary),
    sa.Column("dlms_global_unicast_encryption_key", sa.LargeBinary),
    sa.Column("dlms_global_broadcast_encryption_key", sa.LargeBinary),
    sa.Column("dlms_master_key", sa.LargeBinary),
    sa.Column("dlms_global_authentication_key", sa.LargeBinary),
    _at("created_at"),
    _at("updated_at"),
)
amr_job = _table(
    "amr_job",
    _number_id(sa.BigInteger),
    _reference("organization_id", "organization.id"),
    _reference("meter_device_id", "meter_device.id"),
    _reference("amr_task_id", "amr_task.id", nullable=True, on_delete="SET NULL"),
    _at("tick"),
    _at("due_at"),
    sa.Column("priority", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
    _text("meter_execution_type", 20),
    _text("task_call", 50),
    sa.Column("task_kwargs", JSONB(none_as_null=True)),
    sa.Column("state", sa.String(8), nullable=False, server_default="waiting"),
    sa.Column("attempt", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
    _text("reason", 32, nullable=True),
    _text("detail", 500, nullable=True),
    sa.Column("claim_token", UUID(as_uuid=True)),
    _at("claimed_until", nullable=True),
    _at("started_at", nullable=True),
    _at("finished_at", nullable=True),
    _count("readings_found"),
    _count("readings_stored"),
    _count("readings_rejected"),
    _at("created_at"),
    _at("updated_at"),
    sa.UniqueConstraint("amr_task_id", "meter_device_id", "tick"),
)
amr_watermark = _table(
    "amr_watermark",
    _of_sensor("device_id"),
    sa.Column("archive", sa.String(100), primary_key=True),
    _at("read_until"),
    _at("updated_at"),
)
amr_meter_state = _table(
    "amr_meter_state",
    _of_sensor("device_id"),
    sa.Column("invocation_counter", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    sa.Column("clock_drift_s", sa.Numeric(12, 3)),
    _at("clock_seen_at", nullable=True),
    _at("authentication_failed_at", nullable=True),
    _at("updated_at"),
)
quarantined_message = _table(
    "quarantined_message",
    _number_id(sa.BigInteger),
    _reference("organization_id", "organization.id", nullable=True),
    _text("client_id", 64, nullable=True),
    _text("topic", 250),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("row_number", sa.Integer),
    _text("code", 32),
    _text("detail", 500),
    _at("received_at"),
    _at("created_at"),
    _at("updated_at"),
)
meter_device_exchange = _table(
    "meter_device_exchange",
    _number_id(sa.BigInteger),
    _reference("device_id", "meter_device.sensor_id"),
    _at("exchanged_at"),
    _text("old_serial", 50, nullable=True),
    _text("new_serial", 50, nullable=True),
)
meter_system_event = _table(
    "meter_system_event",
    _number_id(sa.BigInteger),
    _reference("organization_id", "organization.id"),
    _reference("meter_device_id", "meter_device.id"),
    _at("timestamp"),
    _text("title", 50),
    _text("content", 500),
    _at("created_at"),
    _at("updated_at"),
)
staged_meter_reading = _table(
    "staged_meter_reading",
    _number_id(sa.BigInteger, always=False),
    _reference("organization_id", "organization.id"),
    _text("meter_device_name", 50),
    _text("series_name", 50),
    _at("timestamp"),
    sa.Column("value", sa.Numeric, nullable=False),
    _at("created_at"),
    _at("updated_at"),
    sa.UniqueConstraint("organization_id", "meter_device_name", "series_name", "timestamp"),
)

meter_reading = _table(
    "meter_reading",
    _key("device_id"),
    _key("series_id"),
    sa.Column("timestamp", sa.DateTime(timezone=True), primary_key=True),
    sa.Column("value", sa.Numeric, nullable=False),
    _at("created_at"),
    sa.Column("id", sa.BigInteger, sa.Identity(always=False), nullable=False),
)
meter_reading_version = _table(
    "meter_reading_version",
    _key("device_id"),
    _key("series_id"),
    sa.Column("timestamp", sa.DateTime(timezone=True), primary_key=True),
    _key("version"),
    sa.Column("value", sa.Numeric, nullable=False),
    _at("recorded_at"),
    _at("replaced_at"),
    _text("replaced_by", 200),
    _text("reason", 200),
)
reading_channel = _table(
    "reading_channel",
    _of_sensor("device_id"),
    sa.Column(
        "series_id",
        sa.Integer,
        sa.ForeignKey(f"{SCHEMA}.meter_reading_series.series_key", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    _at("first_at", nullable=True),
    _at("last_at", nullable=True),
    sa.Column("spacing_s", sa.Integer),
)
reading_change = _table(
    "reading_change",
    _number_id(sa.BigInteger),
    sa.Column("device_id", sa.Integer, nullable=False),
    _at("from_at"),
    _at("to_at"),
)
quality_code = _table(
    "quality_code",
    _key("code", sa.SmallInteger),
    _text("name", 20, unique=True),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("is_valid", sa.Boolean, nullable=False),
    sa.Column("counts_energy", sa.Boolean, nullable=False),
)
interval_energy = _table(
    "interval_energy",
    _key("device_id"),
    _key("direction", sa.SmallInteger),
    sa.Column("start_at", sa.DateTime(timezone=True), primary_key=True),
    sa.Column("duration_s", sa.Integer, nullable=False),
    sa.Column("energy_uwh", sa.BigInteger, nullable=False),
    sa.Column("quality", sa.SmallInteger, nullable=False),
)
energy_change = _table(
    "energy_change",
    _number_id(sa.BigInteger),
    sa.Column("device_id", sa.Integer, nullable=False),
    _at("from_at"),
    _at("to_at"),
)
daily_energy = _table(
    "daily_energy",
    _key("device_id"),
    _key("direction", sa.SmallInteger),
    _key("day", sa.Date),
    sa.Column("energy_uwh", sa.BigInteger, nullable=False),
    sa.Column("expected_intervals", sa.Integer, nullable=False),
    sa.Column("valid_intervals", sa.Integer, nullable=False),
    sa.Column("resolution_s", sa.Integer, nullable=False),
)
day_change = _table(
    "day_change",
    _number_id(sa.BigInteger),
    sa.Column("device_id", sa.Integer, nullable=False),
    sa.Column("first_day", sa.Date, nullable=False),
    sa.Column("last_day", sa.Date, nullable=False),
)
disaggregation_run = _table(
    "disaggregation_run",
    _number_id(sa.BigInteger),
    sa.Column("device_id", sa.Integer, nullable=False),
    sa.Column("month", sa.Date, nullable=False),
    _text("model_version", 40),
    _at("computed_at"),
    _text("timezone", 64),
    sa.Column("expected_intervals", sa.Integer, nullable=False),
    sa.Column("valid_intervals", sa.Integer, nullable=False),
    sa.Column("inputs", JSONB, nullable=False),
    sa.Column("confidence", JSONB, nullable=False),
    sa.UniqueConstraint("device_id", "month"),
)
disaggregation_day = _table(
    "disaggregation_day",
    _key("device_id"),
    _key("day", sa.Date),
    sa.Column("energy_uwh", sa.BigInteger, nullable=False),
    sa.Column("total_mwh", sa.BigInteger, nullable=False),
    sa.Column("expected_intervals", sa.Integer, nullable=False),
    sa.Column("valid_intervals", sa.Integer, nullable=False),
)
appliance_energy = _table(
    "appliance_energy",
    _key("device_id"),
    _key("day", sa.Date),
    sa.Column("appliance_key", sa.String(20), primary_key=True),
    sa.Column("energy_mwh", sa.BigInteger, nullable=False),
)
appliance_cycle = _table(
    "appliance_cycle",
    _key("device_id"),
    sa.Column("appliance_key", sa.String(20), primary_key=True),
    sa.Column("start_at", sa.DateTime(timezone=True), primary_key=True),
    _at("end_at"),
    sa.Column("energy_mwh", sa.BigInteger, nullable=False),
)

pseudonym_key = registry_tables.pseudonym_key
source_window = registry_tables.source_window
registry_grid = registry_tables.registry_grid
registry_import = registry_tables.registry_import
registry_import_verdict = registry_tables.registry_import_verdict
registry_customer = registry_tables.registry_customer
registry_meter = registry_tables.registry_meter
registry_customer_waiting = registry_tables.registry_customer_waiting
registry_meter_waiting = registry_tables.registry_meter_waiting
