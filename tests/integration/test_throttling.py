"""Requests are counted once, however many processes count them, and no minute has more than the limit."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from pipelines.accounts.throttling import count_request, forget_idle
from pipelines.db.engine import unit_of_work
from pipelines.errors import TooManyRequests

START = datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC)
LIMIT = 40


def passes(engine: sa.Engine, at_s: float, *, subject: str = "source 1") -> bool:
    try:
        with unit_of_work(engine) as connection:
            count_request(connection, subject, LIMIT, START + timedelta(seconds=at_s))
    except TooManyRequests:
        return False
    return True


def test_of_requests_over_several_connections_at_once_exactly_the_limit_passes(engine: sa.Engine) -> None:
    with ThreadPoolExecutor(8) as pool:
        passed = list(pool.map(lambda n: passes(engine, n / 1000), range(3 * LIMIT)))

    assert sum(passed) == LIMIT
    assert passes(engine, 0, subject="source 2")


@pytest.mark.parametrize("pause_ms", [40, 140, 150, 170, 5_990])
def test_no_sixty_seconds_have_more_than_the_limit_wherever_they_begin(engine: sa.Engine, pause_ms: int) -> None:
    times = sorted(burst + n * pause_ms for burst in range(0, 150_000, 15_000) for n in range(10))
    passed = [at for at in times if passes(engine, at / 1000)]

    assert len(passed) > LIMIT
    for first in passed:
        assert sum(first <= at < first + 60_000 for at in passed) <= LIMIT


def test_a_steady_caller_at_the_limit_is_never_refused(engine: sa.Engine) -> None:
    assert all(passes(engine, n * 60 / LIMIT) for n in range(3 * LIMIT))


def test_a_refusal_says_to_the_second_when_a_request_passes_again_and_is_not_counted(engine: sa.Engine) -> None:
    assert passes(engine, 0)
    assert all(passes(engine, 10) for _ in range(LIMIT - 1))

    for _ in range(3):
        with pytest.raises(TooManyRequests) as refused, unit_of_work(engine) as connection:
            count_request(connection, "source 1", LIMIT, START + timedelta(seconds=20.5))
    wait_s = refused.value.retry_after_s

    assert wait_s == 40
    assert not passes(engine, 20.5 + wait_s - 1)
    assert passes(engine, 20.5 + wait_s)
    assert not passes(engine, 61)


def test_what_another_clock_wrote_does_not_lock_a_caller_out(engine: sa.Engine) -> None:
    assert all(passes(engine, 86_400) for _ in range(LIMIT))

    assert passes(engine, 0)


def test_idle_callers_are_forgotten(engine: sa.Engine) -> None:
    assert all(passes(engine, 0) for _ in range(LIMIT))
    assert passes(engine, 100, subject="source 2")

    with unit_of_work(engine) as connection:
        assert forget_idle(connection, before=START + timedelta(seconds=50)) == 1
        left = connection.exec_driver_sql("SELECT DISTINCT subject FROM wattloom.request_time").scalars().all()
    assert left == ["source 2"]
