"""One interface has at most one holder, whatever happens at once."""

import threading
import time
from collections import Counter
from datetime import timedelta
from uuid import UUID, uuid4

from pipelines import clock
from pipelines.amr import leases
from pipelines.amr.leases import Lease
from pipelines.db.engine import create_engine, unit_of_work
from tests.integration.amr.station import NOW, Station

LONG = timedelta(minutes=5)


def _lease(interface: UUID, hold: timedelta = LONG) -> Lease:
    return Lease(interface=interface, token=uuid4(), holder="test", until=clock.now() + hold)


def _take(station: Station, *wanted: Lease) -> set[UUID]:
    with unit_of_work(station.engine) as connection:
        return leases.take(connection, wanted)


def test_a_lease_is_exclusive_until_it_is_given_back_or_runs_out(station: Station) -> None:
    interface = station.interface(1)
    first, second = _lease(interface), _lease(interface)

    assert _take(station, first) == {first.token}
    assert _take(station, second) == set()
    assert _take(station, first) == {first.token}, "its holder may extend it"

    with unit_of_work(station.engine) as connection:
        leases.release(connection, [second])
    assert _take(station, second) == set(), "who does not hold it cannot give it back"

    with unit_of_work(station.engine) as connection:
        leases.release(connection, [first])
    assert _take(station, second) == {second.token}

    clock.start_at(NOW + timedelta(minutes=6))
    third = _lease(interface)
    assert _take(station, third) == {third.token}, "a lease that ran out blocks nobody"


def test_of_two_that_want_an_interface_in_one_statement_one_gets_it(station: Station) -> None:
    interface = station.interface(1)
    both = [_lease(interface), _lease(interface)]

    assert len(_take(station, *both)) == 1


def test_no_lease_is_ever_held_twice_under_concurrency(station: Station, database_url: str) -> None:
    interfaces = [station.interface(1) for _ in range(3)]
    holders: dict[UUID, int] = dict.fromkeys(interfaces, 0)
    guard = threading.Lock()
    held_twice: list[UUID] = []
    taken: Counter[UUID] = Counter()
    ends = time.monotonic() + 4

    def contend() -> None:
        engine = create_engine(database_url, pool_size=1)
        while time.monotonic() < ends:
            wanted = [_lease(interface) for interface in interfaces]
            with unit_of_work(engine) as connection:
                granted = leases.take(connection, wanted)
            mine = [lease for lease in wanted if lease.token in granted]
            with guard:
                for lease in mine:
                    holders[lease.interface] += 1
                    taken[lease.interface] += 1
                    if holders[lease.interface] > 1:
                        held_twice.append(lease.interface)
            with guard:
                for lease in mine:
                    holders[lease.interface] -= 1
            with unit_of_work(engine) as connection:
                leases.release(connection, mine)
        engine.dispose()

    threads = [threading.Thread(target=contend) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert held_twice == []
    assert all(taken[interface] > 10 for interface in interfaces), taken


def test_the_circuit_stays_closed_for_some_failures_and_then_opens_for_longer_and_longer(station: Station) -> None:
    interface = station.interface(1)
    pauses = []
    for _ in range(12):
        with unit_of_work(station.engine) as connection:
            leases.note_reached(connection, [(interface, False)])
        until = station.scalar("SELECT circuit_open_until FROM wattloom.network_interface")
        pauses.append(None if until is None else round((until - clock.now()) / timedelta(minutes=1)))

    assert pauses == [None, None, None, None, 1, 2, 4, 8, 16, 32, 60, 60]

    with unit_of_work(station.engine) as connection:
        leases.note_reached(connection, [(interface, False), (interface, True)])
    assert station.one("SELECT failures, circuit_open_until FROM wattloom.network_interface") == (0, None)
