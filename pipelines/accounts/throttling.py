"""Requests per minute, counted in the database, so that every worker counts the same.

Each of the last requests of a subject has a place with its time; a request takes the place of the one that is as many
requests back as a minute allows. So of any 60 consecutive seconds no more than the limit pass, wherever they begin.
"""

from datetime import datetime
from math import ceil

import sqlalchemy as sa

from pipelines.db.engine import raw
from pipelines.errors import TooManyRequests

SPAN_S = 60
# The turn is taken first: it keeps other requests of the subject waiting until this one is decided. A time that lies
# ahead by more than the span was written under another clock.
_TAKE = """
    WITH taken AS (
        INSERT INTO wattloom.request_turn AS t (subject, turn, last_at) VALUES (%(subject)s, 0, %(now)s)
        ON CONFLICT (subject) DO UPDATE SET turn = (t.turn + 1) %% %(limit)s, last_at = %(now)s
        RETURNING turn
    )
    INSERT INTO wattloom.request_time AS p (subject, turn, at) SELECT %(subject)s, turn, %(now)s FROM taken
    ON CONFLICT (subject, turn) DO UPDATE SET at = %(now)s
    WHERE p.at <= %(now)s - %(span)s * interval '1 second' OR p.at > %(now)s + %(span)s * interval '1 second'
    RETURNING turn
"""
_WHEN = """
    SELECT p.at FROM wattloom.request_turn AS t JOIN wattloom.request_time AS p USING (subject, turn)
    WHERE t.subject = %(subject)s
"""


def count_request(connection: sa.Connection, subject: str, limit: int, now: datetime) -> None:
    """Count a request; of any 60 consecutive seconds no more than ``limit`` pass, across all processes.

    Raises
    ------
    TooManyRequests
        It is one too many; says after how many seconds a request passes again. It is not counted.
    """
    values = {"subject": subject, "limit": limit, "now": now, "span": SPAN_S}
    cursor = raw(connection).cursor()
    if cursor.execute(_TAKE, values).fetchone() is not None:
        return
    earlier = cursor.execute(_WHEN, values).fetchone()
    cursor.execute(
        "UPDATE wattloom.request_turn SET turn = (turn + %(limit)s - 1) %% %(limit)s WHERE subject = %(subject)s",
        values,
    )
    assert earlier is not None  # noqa: S101 - its place is taken
    wait_s = max(1, ceil(SPAN_S - (now - earlier[0]).total_seconds()))
    raise TooManyRequests(
        f"More than {limit} requests per minute. Expected available in {wait_s} seconds.", retry_after_s=wait_s
    )


def forget_idle(connection: sa.Connection, *, before: datetime) -> int:
    """Delete the counts of subjects whose last request is past; return how many."""
    return raw(connection).execute("DELETE FROM wattloom.request_turn WHERE last_at < %s", (before,)).rowcount
