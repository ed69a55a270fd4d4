"""Who may do what: organizations, users, tokens, clients, sources."""

import sqlalchemy as sa

from pipelines.db.tables.columns import SCHEMA, at, flag, key, number_id, reference, table, text, uuid_id

organization = table(
    "organization",
    uuid_id(),
    sa.Column("number", sa.Integer, sa.Identity(always=True), unique=True, nullable=False),
    text("name", 64),
    flag("is_active", "true"),
    reference("created_by_id", "organization.id", nullable=True, on_delete="SET NULL"),
    at("created_at"),
    at("updated_at"),
)
app_user = table(
    "app_user",
    uuid_id(),
    text("username", 150, unique=True),
    sa.Column("password_hash", sa.Text),
    flag("is_staff"),
    flag("is_active", "true"),
    at("created_at"),
)
organization_member = table(
    "organization_member",
    number_id(),
    reference("organization_id", "organization.id"),
    reference("user_id", "app_user.id"),
    at("created_at"),
    at("updated_at"),
    sa.UniqueConstraint("organization_id", "user_id"),
)
api_token = table(
    "api_token",
    uuid_id(),
    reference("user_id", "app_user.id"),
    reference("organization_id", "organization.id"),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    at("created_at"),
    at("revoked_at", nullable=True),
)
api_client = table(
    "api_client",
    uuid_id(),
    reference("organization_id", "organization.id"),
    text("client_id", 64, unique=True),
    sa.Column("secret_digest", sa.LargeBinary, nullable=False),
    at("created_at"),
    at("revoked_at", nullable=True),
)
refresh_token = table(
    "refresh_token",
    uuid_id(),
    reference("api_client_id", "api_client.id"),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    at("created_at"),
    at("expires_at"),
    at("revoked_at", nullable=True),
)
source = table(
    "source",
    number_id(),
    reference("organization_id", "organization.id"),
    text("name", 64),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("state", sa.String(8), nullable=False, server_default="active"),
    at("created_at"),
)
request_turn = table(
    "request_turn",
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("turn", sa.Integer, nullable=False),
    at("last_at"),
)
request_time = table(
    "request_time",
    sa.Column(
        "subject",
        sa.String(64),
        sa.ForeignKey(f"{SCHEMA}.request_turn.subject", ondelete="CASCADE"),
        primary_key=True,
    ),
    key("turn"),
    at("at"),
)
