"""The kinds of meters that are simulated: how each is made, and what an operator enters to read it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.simulators.meters.archive import MeterArchive
from pipelines.simulators.meters.dlms import DlmsMeter
from pipelines.simulators.meters.dlms_objects import MeterState
from pipelines.simulators.meters.iec62056_21 import Iec62056Meter
from pipelines.simulators.meters.iflag import CorusMeter
from pipelines.simulators.meters.lis200 import Lis200Meter
from pipelines.simulators.meters.mbus import MbusGateway, MbusMeter
from pipelines.simulators.meters.modbus import ModbusMeter
from pipelines.simulators.meters.responder import Faults, Responder
from pipelines.simulators.meters.server import HOST

DIGITS = 9
"""Of the register of whole watt-hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedMeter:
    """One line of the manifest, in the words of the API; ``household`` holds the documents of `metadata/*`."""

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
    household: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the line as JSON takes it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A meter to be served, and its line of the manifest."""

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


def _lis200(archive: MeterArchive, line: SimulatedMeter) -> Made:
    password = line.manufacturer_serial[-6:]
    zone = ZoneInfo(line.timezone)

    def make(faults: Faults) -> Responder:
        return Lis200Meter(
            archive, faults, serial=line.manufacturer_serial, password=password, zone=zone, archive_number=2
        )

    return Made(
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


def _iec62056(archive: MeterArchive, line: SimulatedMeter) -> Made:
    password, zone = line.manufacturer_serial[-8:], ZoneInfo(line.timezone)

    def make(faults: Faults) -> Responder:
        return Iec62056Meter(archive, faults, serial=line.manufacturer_serial, password=password, zone=zone)

    return Made(
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


def _dlms(archive: MeterArchive, line: SimulatedMeter) -> Made:
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

    return Made(
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


def _mbus(archive: MeterArchive, line: SimulatedMeter) -> Made:
    serial, zone = line.manufacturer_serial, ZoneInfo(line.timezone)

    def make(faults: Faults) -> Responder:
        return MbusGateway([MbusMeter(archive, faults, serial=serial, zone=zone)])

    return Made(
        make=make,
        line=replace(
            line,
            series=(_REGISTER,),
            meter_execution_type="generic_mbus",
            task_call="read_values",
            task_kwargs={"secondary_address": serial, "history": True},
        ),
    )


def _modbus(archive: MeterArchive, line: SimulatedMeter) -> Made:
    def make(faults: Faults) -> Responder:
        return ModbusMeter(archive, faults, model="schneider_iem3255")

    power = {"name": "1-0:16.7.0", "description": "Power, sum of the phases", "unit": "kW"}
    return Made(
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


def _iflag(archive: MeterArchive, line: SimulatedMeter) -> Made:
    zone, serial = ZoneInfo(line.timezone), line.manufacturer_serial

    def make(faults: Faults) -> Responder:
        return CorusMeter(archive, faults, serial=serial, zone=zone)

    return Made(
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


KINDS: dict[str, Callable[[MeterArchive, SimulatedMeter], Made]] = {
    "lis-200": _lis200,
    "dlms-cosem": _dlms,
    "iec62056-21": _iec62056,
    "modbus": _modbus,
    "mbus": _mbus,
    "i-flag": _iflag,
}
PROTOCOLS = tuple(KINDS)
