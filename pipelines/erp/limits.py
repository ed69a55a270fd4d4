"""Requests per minute and organization, counted in the database, so that every worker counts the same."""

from uuid import UUID

import sqlalchemy as sa

from pipelines import clock
from pipelines.db.engine import raw
from pipelines.errors import TooManyRequests

PER_MINUTE = 1000
_SPAN_S = 60


def count_request(connection: sa.Connection, organization_id: UUID) -> None:
    """Count a request; of any 60 consecutive seconds no more than the limit pass.

    Raises
    ------
    TooManyRequests
        The limit is reached; says after how many seconds a request passes again. A refused request is not counted.
    """
    second = int(clock.now().timestamp())
    cursor = raw(connection).cursor()
    cursor.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('erp_request ' || %s::text, 0))", (organization_id,)
    )
    row = cursor.execute(
        "SELECT coalesce(sum(requests), 0), min(second) FROM wattloom.erp_request"
        " WHERE organization_id = %s AND second > %s AND second <= %s",
        (organization_id, second - _SPAN_S, second),
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate always returns a row
    if row[0] >= PER_MINUTE:
        wait_s = max(1, row[1] + _SPAN_S - second)
        raise TooManyRequests(
            f"Request was throttled. Expected available in {wait_s} seconds.", retry_after_s=wait_s
        )
    cursor.execute(
        "INSERT INTO wattloom.erp_request (organization_id, second, requests) VALUES (%s, %s, 1)"
        " ON CONFLICT (organization_id, second) DO UPDATE SET requests = erp_request.requests + 1",
        (organization_id, second),
    )
    cursor.execute(
        "DELETE FROM wattloom.erp_request WHERE organization_id = %s AND second <= %s",
        (organization_id, second - _SPAN_S),
    )
