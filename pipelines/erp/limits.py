"""Requests per minute and organization."""

from uuid import UUID

import sqlalchemy as sa

from pipelines import clock
from pipelines.accounts import throttling

PER_MINUTE = 1000


def count_request(connection: sa.Connection, organization_id: UUID) -> None:
    """Count a request of an organization.

    Raises
    ------
    TooManyRequests
        More than 1,000 within 60 s.
    """
    throttling.count_request(connection, f"erp {organization_id}", PER_MINUTE, clock.now())
