"""Integrations as a resource: a configuration is checked when it is sent, not when an event meets it."""

import sqlalchemy as sa

from pipelines.accounts.principals import Principal
from pipelines.crud import Resource, Row
from pipelines.db import tables
from pipelines.erp.configuration import check_configuration
from pipelines.erp.payloads import native, storable
from pipelines.errors import RejectedInput
from pipelines.fields import Field, Kind


def _check(_connection: sa.Connection, principal: Principal, values: Row, before: Row | None) -> None:
    if before is None:
        values["organization_id"] = principal.organization_id
    if "configuration" in values:
        check_configuration(values["configuration"])
        try:
            values["configuration"] = native(storable(values["configuration"]))
        except ValueError as error:
            raise RejectedInput({"configuration": [f"It cannot be stored: {error}."]}) from None


INTEGRATION = Resource(
    name="integrations",
    title="Integration",
    table=tables.erp_integration,
    fields=(
        Field(name="name", required=True, min_length=1, max_length=100),
        Field(
            name="use_case_slug",
            required=True,
            min_length=1,
            max_length=255,
            pattern="[a-z0-9][a-z0-9_-]*",
            doc="The use case whose events this integration maps",
        ),
        Field(
            name="configuration",
            kind=Kind.OBJECT,
            required=True,
            doc="entities and meter_readings: how payloads are mapped, matched and stored",
        ),
        Field(
            name="default_series",
            min_length=1,
            max_length=50,
            doc="Series of readings that name no counter; else 1-0:1.8.0",
        ),
    ),
    filters=("name", "use_case_slug"),
    before_write=_check,
)
