"""A fleet of simulated meters: what each is, how it is read, and the port it listens on.

Every entry of the manifest holds all that an operator has to enter to read the meter: type, series, interface, keys
and task. Meters of a household share its archive, each with a register of its own.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pipelines import clock
from pipelines.errors import RejectedInput
from pipelines.simulators.household import KOLKATA_HOME, LONDON_FLAT, STOCKHOLM_HOUSE, Household
from pipelines.simulators.meters.archive import MeterArchive, household_archive
from pipelines.simulators.meters.dlms import DlmsMeter
from pipelines.simulators.meters.dlms_objects import MeterState
from pipelines.simulators.meters.iec62056_21 import Iec62056Meter
from pipelines.simulators.meters.iflag import CorusMeter
from pipelines.simulators.meters.lis200 import Lis200Meter
from pipelines.simulators.meters.mbus import MbusGateway, MbusMeter
from pipelines.simulators.meters.modbus import ModbusMeter
from pipelines.simulators.meters.responder import Faults, Responder
from pipelines.simulators.meters.server import HOST, MeterServer


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

DIGITS = 9
MOST_METERS = 10_000
MOST_MONTHS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedMeter:
    """One line of the manifest, in the words of the API."""

    name: str
    title: str
    protocol: str
    port: int
    host: str = HOST
    manufacturer: str = "Wattloom"
    manufacturer_model: str = "Simulated meter"
    manufacturer_serial: str = ""
    timezone: str = "UTC"
    device: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    series: Sequence[Mapping[str, Any]] = ()
    meter_execution_type: str = ""
    task_call: str = ""
    task_kwargs: Mapping[str, Any] = field(default_factory=dict)
    fault: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the line as JSON takes it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    make: Callable[[Faults], Responder]
    line: SimulatedMeter


_REGISTER = {
    "name": "1-0:1.8.0",
    "description": "Register of the energy imported",
    "unit": "kWh",
    "register_digits": DIGITS - 3,
}
_GAS = {"name": "7-0:13.2.0", "description": "Gas at base conditions", "unit": "m3"}


def _hex(*words: object, octets: int) -> str:
    """Return key octets that depend on nothing but the meter: the same in every run."""
    return hashlib.sha256("|".join(map(str, words)).encode()).hexdigest()[: 2 * octets].upper()


def _lis200(archive: MeterArchive, line: SimulatedMeter) -> _Made:
    password = line.manufacturer_serial[-6:]
    zone = ZoneInfo(line.timezone)

    def make(faults: Faults) -> Responder:
        return Lis200Meter(
            archive, faults, serial=line.manufacturer_serial, password=password, zone=zone, archive_number=2
        )

    return _Made(
        make=make,
        line=replace(
            line,
            manufacturer="Elster",
            manufacturer_model="DL230",
            keys={"iec62056_21_password": password},
            series=(_REGISTER,),
            meter_execution_type="generic_lis200",
            task_call="read_archive_by_offset_seconds",
            task_kwargs={"offset_seconds": 86_400, "archive_number": 2, "control_position": 3},
        ),
    )


def _iec62056(archive: MeterArchive, line: SimulatedMeter) -> _Made:
    password, zone = line.manufacturer_serial[-8:], ZoneInfo(line.timezone)

    def make(faults: Faults) -> Responder:
        return Iec62056Meter(archive, faults, serial=line.manufacturer_serial, password=password, zone=zone)

    return _Made(
        make=make,
        line=replace(
            line,
            device={"iec62056_21_address": line.manufacturer_serial[-8:]},
            keys={"iec62056_21_password": password},
            series=(_REGISTER,),
            meter_execution_type="generic_iec6205621",
            task_call="read_profile_by_offset_seconds",
            task_kwargs={"offset_seconds": 86_400, "profile": "P.01"},
        ),
    )


def _dlms(archive: MeterArchive, line: SimulatedMeter) -> _Made:
    serial, zone, state = line.manufacturer_serial, ZoneInfo(line.timezone), MeterState()
    encryption, authentication = _hex("GUEK", serial, octets=16), _hex("GAK", serial, octets=16)
    title = "53494D" + f"{int(serial):010X}"

    def make(faults: Faults) -> Responder:
        return DlmsMeter(
            archive,
            faults,
            security="gmac",
            serial=serial,
            system_title=bytes.fromhex(title),
            encryption_key=bytes.fromhex(encryption),
            authentication_key=bytes.fromhex(authentication),
            zone=zone,
            state=state,
        )

    return _Made(
        make=make,
        line=replace(
            line,
            device={"dlms_system_title": title},
            keys={
                "dlms_global_unicast_encryption_key": encryption,
                "dlms_global_authentication_key": authentication,
            },
            series=(_REGISTER,),
            meter_execution_type="generic_dlms",
            task_call="read_profile_by_offset_seconds",
            task_kwargs={"offset_seconds": 86_400, "framing": "wrapper", "security": "gmac", "client": 1},
        ),
    )


def _mbus(archive: MeterArchive, line: SimulatedMeter) -> _Made:
    serial, zone = line.manufacturer_serial, ZoneInfo(line.timezone)

    def make(faults: Faults) -> Responder:
        return MbusGateway([MbusMeter(archive, faults, serial=serial, zone=zone)])

    return _Made(
        make=make,
        line=replace(
            line,
            series=(_REGISTER,),
            meter_execution_type="generic_mbus",
            task_call="read_values",
            task_kwargs={"secondary_address": serial, "history": True},
        ),
    )


def _modbus(archive: MeterArchive, line: SimulatedMeter) -> _Made:
    def make(faults: Faults) -> Responder:
        return ModbusMeter(archive, faults, model="schneider_iem3255")

    power = {"name": "1-0:16.7.0", "description": "Power, sum of the phases", "unit": "kW"}
    return _Made(
        make=make,
        line=replace(
            line,
            manufacturer="Schneider Electric",
            manufacturer_model="iEM3255",
            series=(_REGISTER, power),
            meter_execution_type="generic_modbus",
            task_call="read_registers",
            task_kwargs={"registers": ["1-0:1.8.0", "1-0:16.7.0"]},
        ),
    )


def _iflag(archive: MeterArchive, line: SimulatedMeter) -> _Made:
    zone, serial = ZoneInfo(line.timezone), line.manufacturer_serial

    def make(faults: Faults) -> Responder:
        return CorusMeter(archive, faults, serial=serial, zone=zone)

    return _Made(
        make=make,
        line=replace(
            line,
            manufacturer="Itron",
            manufacturer_model="Corus MID M5B00",
            series=(_GAS,),
            meter_execution_type="generic_corus_meter",
            task_call="read_database_by_offset_seconds",
            task_kwargs={"offset_seconds": 86_400, "database": "interval"},
        ),
    )


_KINDS: dict[str, Callable[[MeterArchive, SimulatedMeter], _Made]] = {
    "lis-200": _lis200,
    "dlms-cosem": _dlms,
    "iec62056-21": _iec62056,
    "modbus": _modbus,
    "mbus": _mbus,
    "i-flag": _iflag,
}
PROTOCOLS = tuple(_KINDS)


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
                )
                await self._add(_own(archive, number), line, first_port + number if first_port else 0)
                number += 1
        return self

    async def _add(self, archive: MeterArchive, line: SimulatedMeter, port: int) -> None:
        made = _KINDS[line.protocol](archive, line)
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
