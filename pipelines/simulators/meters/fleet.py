"""A fleet of simulated meters: what each is, how it is read, and the port it listens on.

Every entry of the manifest holds all that an operator has to enter to read the meter: type, series, interface, keys
and task. Meters of a household share its archive, each with a register of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pipelines import clock
from pipelines.errors import RejectedInput
from pipelines.simulators.documents import documents_of
from pipelines.simulators.household import KOLKATA_HOME, LONDON_FLAT, STOCKHOLM_HOUSE, Household
from pipelines.simulators.meters.archive import MeterArchive, household_archive
from pipelines.simulators.meters.kinds import DIGITS, KINDS, PROTOCOLS, SimulatedMeter
from pipelines.simulators.meters.responder import Faults
from pipelines.simulators.meters.server import MeterServer


@dataclass(frozen=True, slots=True)
class Home:
    """A household, the seed of its life, and the interval of its meter [s]."""

    title: str
    household: Household
    seed: int
    interval_s: int


HOMES = (
    Home("House in Stockholm", STOCKHOLM_HOUSE, 12, 900),
    Home("Flat in London", LONDON_FLAT, 11, 1800),
    Home("Home in Kolkata", KOLKATA_HOME, 13, 1800),
)
"""Whose archives the meters have, in turn."""

FAULTS: dict[str, Faults] = {
    "slow": Faults(reply_delay_s=2.0),
    "byte-by-byte": Faults(byte_delay_s=1.0),
    "cut": Faults(cut_frame=4),
    "corrupt": Faults(corrupt_frames=frozenset({3})),
    "silent": Faults(silent_from=1),
    "duplicate": Faults(duplicate_frames=frozenset(range(2, 1000, 2))),
    "flood": Faults(flood=True),
    "drift": Faults(clock_drift_s=90.0),
    "wrong-password": Faults(),
}
"""What can be wrong with a meter, by the name it is asked for; a wrong password stands in the manifest instead."""

MOST_METERS = 10_000
MOST_MONTHS = 120


class Fleet:
    """Simulated meters on loopback ports; ``manifest`` says how to read each."""

    def __init__(self) -> None:
        self.manifest: list[SimulatedMeter] = []
        self.servers: dict[str, MeterServer] = {}

    async def start(
        self,
        *,
        per_protocol: int,
        protocols: Sequence[str] = PROTOCOLS,
        months: int = 13,
        first_port: int = 0,
        faults: Sequence[str] = (),
        prefix: str = "sim",
    ) -> "Fleet":
        """Serve ``per_protocol`` meters of each protocol; the last ones of each have the faults, one each.

        Raises
        ------
        RejectedInput
            A protocol or a fault is unknown, there are more faults than meters, or a number is out of range.
        """
        _check(per_protocol, protocols, faults)
        _check_numbers(months, first_port, per_protocol * len(protocols))
        archives = household_archives(months, kinds=min(per_protocol * len(protocols), len(HOMES)))
        number = 0
        for place in range(per_protocol):
            for protocol in protocols:
                archive, home = archives[number % len(archives)]
                behind = per_protocol - 1 - place
                line = SimulatedMeter(
                    name=f"{prefix}-{protocol}-{place + 1}",
                    title=f"{home.title}, {protocol}",
                    protocol=protocol,
                    port=0,
                    manufacturer_serial=f"{10_000_001 + number}",
                    timezone=home.household.zone,
                    fault=faults[behind] if behind < len(faults) else None,
                    household=documents_of(home.household),
                )
                await self._add(_own(archive, number), line, first_port + number if first_port else 0)
                number += 1
        return self

    async def _add(self, archive: MeterArchive, line: SimulatedMeter, port: int) -> None:
        made = KINDS[line.protocol](archive, line)
        server = MeterServer(made.make, FAULTS.get(line.fault or "", Faults()))
        await server.start(port)
        done = replace(made.line, port=server.port)
        if line.fault == "wrong-password":
            done = replace(done, keys={name: _other(key) for name, key in done.keys.items()})
        self.manifest.append(done)
        self.servers[line.name] = server

    async def stop(self) -> None:
        """Stop every meter."""
        for server in self.servers.values():
            await server.stop()


def _check(per_protocol: int, protocols: Sequence[str], faults: Sequence[str]) -> None:
    errors: dict[str, list[str]] = {}
    for name, given, known in (("protocol", protocols, PROTOCOLS), ("fault", faults, tuple(FAULTS))):
        unknown = [word for word in given if word not in known]
        if unknown:
            errors[name] = [f"{unknown[0]!r} is none of {', '.join(known)}"]
    if len(faults) > per_protocol:
        errors["fault"] = [f"{len(faults)} faults need as many meters a protocol, and there are {per_protocol}"]
    if errors:
        raise RejectedInput(errors)


def _check_numbers(months: int, first_port: int, meters: int) -> None:
    errors: dict[str, list[str]] = {}
    for name, number, low, high in (
        ("meters", meters, 1, MOST_METERS),
        ("months", months, 0, MOST_MONTHS),
        ("first-port", first_port, 0, 65_536 - meters),
    ):
        if not low <= number <= high:
            errors[name] = [f"{number} does not lie from {low} to {high}"]
    if errors:
        raise RejectedInput(errors)


def household_archives(months: int, *, kinds: int = len(HOMES)) -> list[tuple[MeterArchive, Home]]:
    """Return archives from the first of a month ``months`` months ago, on the home's wall clock, to some days ahead."""
    now = clock.now()
    return [
        (
            household_archive(
                home.household,
                start=month_start(now, months, ZoneInfo(home.household.zone)),
                end=now + timedelta(days=7),
                interval_s=home.interval_s,
                seed=home.seed,
                digits=DIGITS,
            ),
            home,
        )
        for home in HOMES[:kinds]
    ]


def month_start(now: datetime, months: int, zone: ZoneInfo) -> datetime:
    """Return the start of the month so many months before the one of ``now``, on a wall clock."""
    local = now.astimezone(zone)
    years, month = divmod(local.year * 12 + local.month - 1 - months, 12)
    return datetime(years, month + 1, 1, tzinfo=zone)


def _own(archive: MeterArchive, number: int) -> MeterArchive:
    """Return the archive with a register that started elsewhere: high enough in the first meter to roll over."""
    limit = 10**archive.digits
    start = (limit - 7_000_000 + number * 13_131_313) % limit
    return replace(archive, register_wh=(archive.register_wh + start) % limit)


def _other(key: str) -> str:
    """Return a key of the same length that is another one."""
    return "".join("1" if digit == "0" else "0" for digit in key)
