"""What tests run in a process of its own, to be killed: ``python -m tests.integration.in_process ACTION URL``."""

import itertools
import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any

from pipelines.db.engine import create_engine, unit_of_work
from pipelines.insight import derive, disaggregate, due, refresh, work
from pipelines.insight.work import Limits
from pipelines.metering.writer import write_readings
from tests.integration.world import QUARTER, STORED_AT, T0, authored, keyed

ROWS = 40


def batch(number: int, device: int, series: int) -> list[tuple[Any, ...]]:
    """Return batch ``number``: half of it new, half corrections of the batch before."""
    first = number * ROWS // 2
    return [(device, series, T0 + n * QUARTER, number * 1_000_000 + n) for n in range(first, first + ROWS)]


def write_for_ever(url: str, device: int, series: int) -> None:
    """Write one batch after the other and say of each that it was committed."""
    engine = create_engine(url)
    number = 0
    while True:
        with unit_of_work(engine) as connection:
            at = STORED_AT + timedelta(seconds=number)
            write_readings(connection, keyed(batch(number, device, series)), authored(at=at))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        number += 1


def _die_at_call(module: ModuleType, name: str, last: int) -> None:
    """Kill this process when ``name`` of ``module`` has been called so often, by whichever thread."""
    called: Callable[..., Any] = getattr(module, name)
    numbers = itertools.count(1)

    def wrapped(*args: Any, **options: Any) -> Any:
        number = next(numbers)
        result = called(*args, **options)
        if number == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(module, name, wrapped)


MODULES = {"derive": derive, "refresh": refresh, "disaggregate": disaggregate}


def die_in_step(url: str, step: str, function: str, calls: int) -> None:
    """Run a step on two devices at a time and die in its middle."""
    engine = create_engine(url)
    work.batches.__defaults__ = (2,)
    disaggregate._HOMES_AT_ONCE = 2
    _die_at_call(MODULES[step], function, calls)
    if step == "derive":
        derive.derive(engine, Limits())
    elif step == "refresh":
        refresh.refresh(engine, Limits(), default_zone="UTC")
    else:
        with unit_of_work(engine) as connection:
            plan = {T0.date(): due.measured_devices(connection, T0.date(), None)}
        disaggregate.disaggregate_months(engine, plan, default_zone="UTC")


if __name__ == "__main__":
    action, address, *rest = sys.argv[1:]
    if action == "write":
        write_for_ever(address, int(rest[0]), int(rest[1]))
    else:
        die_in_step(address, rest[0], rest[1], int(rest[2]))
