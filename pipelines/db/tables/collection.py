"""AMR tasks, jobs, watermarks and what is known of meters."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, UUID

from pipelines.db.tables.columns import (
    at,
    count,
    flag,
    link,
    number_id,
    of_sensor,
    reference,
    table,
    text,
    uuid_id,
)

amr_task = table(
    "amr_task",
    uuid_id(),
    reference("organization_id", "organization.id"),
    text("name", 150),
    sa.Column("description", sa.String(500), nullable=False, server_default=""),
    flag("is_active", "true"),
    text("schedule", 9),
    count("run_offset_seconds"),
    text("meter_execution_type", 20),
    text("task_call", 50),
    sa.Column("task_kwargs", JSONB(none_as_null=True)),
    at("created_at"),
    at("updated_at"),
)
amr_task_group = table(
    "amr_task_group",
    uuid_id(),
    reference("organization_id", "organization.id"),
    text("name", 150),
    sa.Column("description", sa.String(500), nullable=False, server_default=""),
    at("created_at"),
    at("updated_at"),
)
amr_task_group_task = link("amr_task_group_task", group_id="amr_task_group", task_id="amr_task")
meter_device_task_group = link("meter_device_task_group", device_id="meter_device", group_id="amr_task_group")
meter_device_task = link("meter_device_task", device_id="meter_device", task_id="amr_task")
amr_job = table(
    "amr_job",
    number_id(sa.BigInteger),
    reference("organization_id", "organization.id"),
    reference("meter_device_id", "meter_device.id"),
    reference("amr_task_id", "amr_task.id", nullable=True, on_delete="SET NULL"),
    at("tick"),
    at("due_at"),
    sa.Column("priority", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
    text("meter_execution_type", 20),
    text("task_call", 50),
    sa.Column("task_kwargs", JSONB(none_as_null=True)),
    sa.Column("state", sa.String(8), nullable=False, server_default="waiting"),
    sa.Column("attempt", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
    text("reason", 32, nullable=True),
    text("detail", 500, nullable=True),
    sa.Column("claim_token", UUID(as_uuid=True)),
    at("claimed_until", nullable=True),
    at("started_at", nullable=True),
    at("finished_at", nullable=True),
    count("readings_found"),
    count("readings_stored"),
    count("readings_rejected"),
    at("read_until", nullable=True),
    at("created_at"),
    at("updated_at"),
    sa.UniqueConstraint("amr_task_id", "meter_device_id", "tick"),
)
amr_watermark = table(
    "amr_watermark",
    of_sensor("device_id"),
    sa.Column("archive", sa.String(100), primary_key=True),
    at("read_until"),
    at("updated_at"),
)
amr_meter_state = table(
    "amr_meter_state",
    of_sensor("device_id"),
    sa.Column("invocation_counter", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    sa.Column("clock_drift_s", sa.Numeric(12, 3)),
    at("clock_seen_at", nullable=True),
    at("authentication_failed_at", nullable=True),
    at("updated_at"),
)
