"""Organizations and memberships as resources."""

from collections.abc import Sequence

import sqlalchemy as sa

from pipelines.accounts.principals import Principal
from pipelines.crud import Resource, Row, visible_organizations
from pipelines.db import tables
from pipelines.errors import RejectedInput
from pipelines.fields import Field, Kind
from pipelines.metering import deletion


def _note_creator(_connection: sa.Connection, principal: Principal, values: Row, before: Row | None) -> None:
    if before is None:
        values["created_by_id"] = principal.organization_id


def _members(connection: sa.Connection, rows: Sequence[Row]) -> None:
    member = tables.organization_member
    found: dict[object, list[object]] = {row["id"]: [] for row in rows}
    query = sa.select(member.c.organization_id, member.c.user_id).where(member.c.organization_id.in_(list(found)))
    for organization, user in connection.execute(query.order_by(member.c.id)):
        found[organization].append(user)
    for row in rows:
        row["members"] = found[row["id"]]


ORGANIZATION = Resource(
    name="organizations",
    title="Organization",
    table=tables.organization,
    fields=(
        Field(name="name", required=True, min_length=1, max_length=64),
        Field(name="is_active", kind=Kind.BOOLEAN),
        Field(name="number", kind=Kind.INTEGER, read_only=True),
        Field(name="members", kind=Kind.UUIDS, read_only=True),
    ),
    scope_column="id",
    before_write=_note_creator,
    before_delete=deletion.before_organization,
    extend=_members,
)


def _check_user(connection: sa.Connection, principal: Principal, values: Row, _before: Row | None) -> None:
    """Allow only users who are already members of an organization that the caller sees."""
    if "user" not in values:
        return
    member = tables.organization_member
    query = sa.select(member.c.id).where(
        member.c.user_id == values["user"], member.c.organization_id.in_(visible_organizations(principal))
    )
    if connection.execute(query.limit(1)).first() is None:
        raise RejectedInput({"user": [f'Invalid pk "{values["user"]}" - object does not exist.']})


MEMBERSHIP = Resource(
    name="memberships",
    title="OrganizationMember",
    table=tables.organization_member,
    fields=(
        Field(name="organization", kind=Kind.UUID, required=True, column="organization_id"),
        Field(name="user", kind=Kind.UUID, required=True, column="user_id"),
    ),
    unique={
        "organization_member_organization_id_user_id_key": (
            "non_field_errors: The fields organization, user must make a unique set."
        )
    },
    integer_id=True,
    before_write=_check_user,
)
