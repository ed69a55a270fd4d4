"""Secrets of meters go to the meter and nowhere else, whatever goes wrong on the way."""

import asyncio
import base64
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from litestar.testing import TestClient

from api.app import create_app
from pipelines.amr import collection, jobs, session
from pipelines.amr.collection import Collector
from pipelines.amr.contract import Exchange, Keys
from pipelines.amr.targets import Target, load_targets
from pipelines.db.engine import unit_of_work
from pipelines.metering.vault import Vault
from pipelines.simulators.meters.dlms import DlmsMeter
from pipelines.simulators.meters.iec62056_21 import Iec62056Meter
from pipelines.simulators.meters.iflag import CorusMeter
from pipelines.simulators.meters.kinds import SimulatedMeter
from pipelines.simulators.meters.lis200 import Lis200Meter
from pipelines.simulators.meters.responder import Faults, Responder
from pipelines.simulators.meters.server import MeterServer
from tests.integration.amr.lines import HeadEnd
from tests.integration.amr.station import DAY_BACK, Station, archive
from tests.integration.world import Device

UTC_ZONE = ZoneInfo("UTC")
TITLE = "53494D0000989681"
LIS, IEC, LLS, FLAG = "Zq7LisWord", "Xv3IecWord", "Ky5LlsWord9", "Wp8FlagW"
GUEK, GAK = "5A17C3E9B2D4068F71E5A9C8D3B6F042", "C81E6F2A94D7B3058E6C1F7A2B9D5E34"
GBEK, MASTER = "9F4B7D1E3A5C6802B7E9D4F1A6C3580B", "E2B8A4F6C1D97350" * 4
DLMS_KEYS = {
    "dlms_global_unicast_encryption_key": GUEK,
    "dlms_global_authentication_key": GAK,
    "dlms_global_broadcast_encryption_key": GBEK,
    "dlms_master_key": MASTER,
}
HEX = {GUEK, GAK, GBEK, MASTER}


def _other(secret: str) -> str:
    """Return a wrong secret of the same form; it must not be shown either."""
    return secret[::-1] if secret in HEX else secret[:-1] + "q"


SECRETS = [form for secret in (LIS, IEC, LLS, FLAG, *sorted(HEX)) for form in (secret, _other(secret))]


@dataclass(frozen=True)
class Kind:
    """A protocol with a secret: its simulator, and how the meter is entered."""

    make: Callable[[Faults], Responder]
    line: SimulatedMeter


def _line(protocol: str, kind: str, call: str, kwargs: dict[str, Any], keys: dict[str, str]) -> SimulatedMeter:
    return SimulatedMeter(
        name=protocol,
        title="",
        protocol=protocol,
        port=0,
        device={"dlms_system_title": TITLE} if protocol == "dlms-cosem" else {},
        keys=keys,
        series=({"name": "1-0:1.8.0", "unit": "kWh"},),
        meter_execution_type=kind,
        task_call=call,
        task_kwargs=kwargs,
    )


def _password(secret: str) -> dict[str, str]:
    return {"iec62056_21_password": secret}


PROFILE = "read_profile_by_offset_seconds"
BACK = {"offset_seconds": 86_400}
KINDS = {
    "lis-200": Kind(
        lambda f: Lis200Meter(archive(), f, password=LIS, zone=UTC_ZONE, archive_number=2),
        _line("lis-200", "generic_lis200", "read_archive_by_offset_seconds", DAY_BACK, _password(LIS)),
    ),
    "iec62056-21": Kind(
        lambda f: Iec62056Meter(archive(), f, password=IEC, zone=UTC_ZONE),
        _line("iec62056-21", "generic_iec6205621", PROFILE, BACK, _password(IEC)),
    ),
    "dlms-lls": Kind(
        lambda f: DlmsMeter(archive(), f, security="lls", password=LLS.encode()),
        _line("dlms-cosem", "generic_dlms", PROFILE, BACK | {"security": "lls"}, _password(LLS) | DLMS_KEYS),
    ),
    "dlms-gmac": Kind(
        lambda f: DlmsMeter(
            archive(),
            f,
            security="gmac",
            system_title=bytes.fromhex(TITLE),
            encryption_key=bytes.fromhex(GUEK),
            authentication_key=bytes.fromhex(GAK),
        ),
        _line("dlms-cosem", "generic_dlms", PROFILE, BACK | {"security": "gmac"}, DLMS_KEYS),
    ),
    "i-flag": Kind(
        lambda f: CorusMeter(archive(), f, password=FLAG),
        _line("i-flag", "generic_corus_meter", "read_parameters", {"parameters": ["datetime"]}, _password(FLAG)),
    ),
}
TROUBLES: dict[str, Faults] = {
    "none": Faults(),
    "wrong": Faults(),
    "driver": Faults(),
    "collector": Faults(),
    "cut": Faults(cut_frame=3),
    "cut early": Faults(cut_frame=2),
    "corrupt": Faults(corrupt_frames=frozenset(range(1, 100))),
    "corrupt later": Faults(corrupt_frames=frozenset(range(3, 100))),
    "silent": Faults(silent_from=2),
    "silent later": Faults(silent_from=3),
    "flood": Faults(flood=True),
    "twice": Faults(duplicate_frames=frozenset(range(1, 1000))),
}


class Kept(logging.Handler):
    """Keeps every record as text, with its arguments and its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(
            f"{record.name} {self.format(record)} {record.args!r} {record.exc_info!r} {record.exc_text}"
        )


@pytest.fixture
def everything_said(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    """Everything that any logger says at its most talkative, asyncio's own debugging included."""
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    root, kept = logging.getLogger(), Kept()
    quiet = {name: logging.getLogger(name).level for name in ("sqlalchemy", "psycopg", "asyncio", "wattloom")}
    handlers, level = root.handlers[:], root.level
    root.handlers = [kept]
    root.setLevel(logging.DEBUG)
    for name in quiet:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield kept
    root.handlers = handlers
    root.setLevel(level)
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)


def _forms(secret: str) -> set[str]:
    """Return what a secret could look like in a text, in lower case."""
    octets = {secret.encode()} | ({bytes.fromhex(secret)} if secret in SECRETS and _is_hex(secret) else set())
    found = {secret}
    for one in octets:
        found |= {one.hex(), one.hex(" "), repr(one)[2:-1], base64.b64encode(one).decode().rstrip("=")}
        found |= {str(list(one))[1:-1], base64.urlsafe_b64encode(one).decode().rstrip("=")}
    return {form.lower() for form in found}


def _is_hex(secret: str) -> bool:
    return secret in HEX or secret[::-1] in HEX


def _shown(text: str) -> list[str]:
    text = text.lower()
    return [form for secret in SECRETS for form in _forms(secret) if form in text]


def _raising(monkeypatch: pytest.MonkeyPatch, names: dict[str, str]) -> None:
    """Make bugs whose texts are full of secrets: in the driver of some meters, behind the driver of others."""
    converse, read_meter = session.converse, collection.read_meter

    def said(keys: Keys) -> str:
        return f"{keys.password} {keys.encryption_key!r} {keys.authentication_key!r} {GBEK} {MASTER}"

    async def bad_driver(link: Any, conversation: Any, effects: Any, *, timeout_s: float) -> None:
        if names.get(effects.target.meter.name) == "driver":
            conversation.close()
            raise ValueError(said(effects.target.meter.keys)) from KeyError(said(effects.target.meter.keys))
        await converse(link, conversation, effects, timeout_s=timeout_s)

    async def bad_collector(target: Target, *rest: Any) -> Any:
        if names.get(target.meter.name) == "collector":
            raise RuntimeError(said(target.meter.keys))
        return await read_meter(target, *rest)

    monkeypatch.setattr(session, "converse", bad_driver)
    monkeypatch.setattr(collection, "read_meter", bad_collector)


def test_a_secret_that_is_shown_would_be_found() -> None:
    for secret in SECRETS:
        octets = bytes.fromhex(secret) if _is_hex(secret) else secret.encode()
        for text in (secret, f"x{octets!r}", octets.hex().upper(), base64.b64encode(octets).decode(), [*octets]):
            assert _shown(f"<{text}>"), text
    assert not _shown("the password of meter 7 was refused")


def test_no_secret_is_in_a_log_a_job_an_event_an_answer_or_a_column(
    station: Station,
    organization: dict[str, dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    everything_said: Kept,
) -> None:
    quick = replace(station, settings=replace(station.settings, amr_session_s=5, amr_silence_s=1, amr_attempts=1))
    head_end = HeadEnd(quick)
    invoked: dict[tuple[str, str], int] = {}
    troubled: dict[str, str] = {}

    async def run() -> None:
        servers = []
        for name, kind in KINDS.items():
            for trouble, faults in TROUBLES.items():
                server = await MeterServer(kind.make, faults).start()
                servers.append(server)
                keys = {k: _other(v) if trouble == "wrong" else v for k, v in kind.line.keys.items()}
                device: Device = head_end.enter(kind.line, port=server.port, keys=keys)
                troubled[device.name] = trouble
                invoked[name, trouble] = head_end.invoke(kind.line, device)
        _raising(monkeypatch, troubled)
        await Collector(quick.engine, quick.settings).drain()
        for server in servers:
            await server.stop()

    asyncio.run(run())
    with TestClient(create_app(quick.settings, quick.engine)) as client:
        headers = {"Authorization": f"Token {organization['staff']['token']}"}
        paths = ("amr-jobs", "meter-devices", "meter-system-events", "network-interfaces", "amr-tasks")
        answers = [client.get(f"/v1/metering/{path}?limit=1000", headers=headers) for path in paths]

    found = {key: quick.job(identifier) for key, identifier in invoked.items()}
    reasons = {key: job.reason for key, job in found.items()}
    for name in KINDS:
        assert (reasons[name, "none"], reasons[name, "twice"]) == (None, None), found[name, "twice"].detail
        assert reasons[name, "wrong"] == "authentication", found[name, "wrong"].detail
        assert reasons[name, "driver"] == "internal"
        assert found[name, "collector"].state == "running", "its claim runs out"
        for trouble in ("cut early", "silent", "corrupt", "flood"):
            assert reasons[name, trouble] is not None, (name, trouble)
    assert all(answer.status_code == 200 for answer in answers)
    for answer in answers:
        assert _shown(answer.text) == []
    said = "\n".join(everything_said.texts)
    assert "a driver failed on meter" in said
    assert "asyncio" in said
    assert _shown(said) == []
    tables = quick.world.rows(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'wattloom' AND table_type = 'BASE TABLE'"
    )
    for (table,) in tables:
        text = "\n".join(row for (row,) in quick.world.rows(f"SELECT t::text FROM wattloom.{table} AS t"))
        assert _shown(text) == [], table


def test_nothing_that_holds_a_secret_shows_it(station: Station) -> None:
    head_end = HeadEnd(station)
    for kind in KINDS.values():
        head_end.invoke(kind.line, head_end.enter(kind.line, port=1))
    settings = replace(station.settings, master_key=MASTER, secret_key=MASTER, mqtt_password=LIS)
    vault = Vault(station.settings)
    with unit_of_work(station.engine) as connection:
        claimed = jobs.claim(connection, token=station.world.organization, count=100, hold=timedelta(1))
        targets = load_targets(connection, vault, claimed, station.settings)

    assert len(targets) == len(KINDS)
    for target in targets:
        keys = target.meter.keys
        assert keys.password in {LIS, IEC, LLS, FLAG} or keys.master_key == bytes.fromhex(MASTER)
        request = Exchange(f"{keys.password}{keys.master_key!r}".encode() + (keys.encryption_key or b""), None)
        whole = (
            target,
            target.meter,
            keys,
            target.jobs,
            request,
            vault,
            settings,
            Collector(station.engine, settings),
        )
        for one in whole:
            assert _shown(f"{one!r} {one}") == [], type(one)


def test_a_key_that_cannot_be_opened_fails_its_meter_alone(station: Station) -> None:
    head_end, kind = HeadEnd(station), KINDS["lis-200"]
    poisoned, unknown, well = (head_end.enter(kind.line, port=1) for _ in range(3))
    first, second, third = (head_end.invoke(kind.line, device) for device in (poisoned, unknown, well))
    column = "UPDATE wattloom.meter_security_key SET iec62056_21_password = :b WHERE meter_device_id = :m"
    station.world.execute(column, b=b"not ours at all, but long enough", m=poisoned.id)
    station.world.execute(
        "UPDATE wattloom.meter_device_config SET timezone = 'No/Where' WHERE id = :c", c=unknown.config
    )
    server = MeterServer(kind.make)

    async def run() -> None:
        await server.start()
        station.world.execute("UPDATE wattloom.network_interface SET port = :p", p=server.port)
        await Collector(station.engine, station.settings).drain()
        await server.stop()

    asyncio.run(run())

    assert (station.job(first).state, station.job(first).reason) == ("failed", "configuration")
    assert "cannot be decrypted" in station.job(first).detail
    assert (station.job(second).state, station.job(second).reason) == ("failed", "configuration")
    assert station.job(third).state == "ok"
    assert server.connections == 1
