"""``wattloom simulate``: each fault of each protocol is what it says, numbers are checked, and it ends cleanly."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.amr.collection import Collector
from pipelines.simulators.meters.fleet import FAULTS, Fleet
from pipelines.simulators.meters.kinds import PROTOCOLS
from tests.integration.amr.lines import HeadEnd
from tests.integration.amr.station import Station

# What each fault may end in, of any protocol: a short telegram is over before a later frame is cut.
EXPECTED: dict[str | None, set[str | None]] = {
    None: {None},
    "slow": {None, "deadline"},
    "byte-by-byte": {"deadline"},
    "cut": {None, "connection_lost"},
    "corrupt": {None, "bad_frame"},
    "silent": {"no_answer"},
    "duplicate": {None},
    "flood": {"bad_frame", "no_answer", "deadline"},
    "drift": {None},
    "wrong-password": {None, "authentication"},
}


def test_every_fault_of_every_protocol_ends_as_it_should(station: Station) -> None:
    settings = replace(station.settings, amr_session_s=12, amr_silence_s=2.5, amr_attempts=1, amr_sessions=200)  # type: ignore[arg-type]
    head_end, jobs = HeadEnd(station), {}
    assert {*FAULTS, None} == set(EXPECTED)

    async def run() -> None:
        fleet = await Fleet().start(per_protocol=len(FAULTS) + 1, months=1, faults=list(FAULTS))
        for line in fleet.manifest:
            jobs[head_end.invoke(line, head_end.enter(line))] = line
        await Collector(station.engine, settings).drain()
        await fleet.stop()

    asyncio.run(run())

    ended: dict[tuple[str, str | None], Any] = {}
    for identifier, line in jobs.items():
        job = station.job(identifier)
        ended[line.protocol, line.fault] = (job.state, job.reason, job.detail)
    wrong = {key: ended[key] for key in ended if ended[key][1] not in EXPECTED[key[1]]}
    assert wrong == {}
    assert len(ended) == len(PROTOCOLS) * (len(FAULTS) + 1)
    refused = {protocol for protocol in PROTOCOLS if ended[protocol, "wrong-password"][1] == "authentication"}
    assert refused == {line.protocol for line in jobs.values() if line.keys}
    drifts = "SELECT count(*) FROM wattloom.amr_meter_state WHERE clock_drift_s BETWEEN 85 AND 95"
    assert station.scalar(drifts) >= 4, "those that have a clock"


def _command(*arguments: str, folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines", "simulate", *arguments],
        env=os.environ | {"WATTLOOM_HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--meters 0", "meters: 0 does not lie from 1 to 10000"),
        ("--months -1", "months: -1 does not lie from 0 to 120"),
        ("--months 100000", "months: 100000 does not lie from 0 to 120"),
        ("--first-port 65534", "first-port: 65534 does not lie from 0 to 65530"),
        ("--first-port -1", "first-port: -1 does not lie"),
        ("--manifest /no/where/manifest.json", "manifest: there is no folder /no/where"),
        ("--fault none", "fault: 'none' is none of slow, byte-by-byte"),
        ("--protocol none", "protocol: 'none' is none of lis-200"),
    ],
)
def test_what_cannot_be_simulated_is_refused_in_a_sentence(tmp_path: Path, arguments: str, words: str) -> None:
    process = _command(*arguments.split(), folder=tmp_path)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 2
    assert words in errors
    assert "Traceback" not in errors


def test_a_port_that_is_in_use_is_named_in_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        process = _command("--protocol", "modbus", "--months", "0", "--first-port", port, folder=tmp_path)
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 2
    assert "meter 1 cannot listen: " in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_at_once_and_cleanly_even_in_mid_answer(
    tmp_path: Path, number: signal.Signals
) -> None:
    process = _command("--protocol", "lis-200", "--months", "0", "--fault", "byte-by-byte", folder=tmp_path)
    assert process.stdout is not None
    address = process.stdout.readline().split()[0]
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as meter:
        meter.sendall(b"/?!\r\n")
        assert meter.recv(1)
        began = time.monotonic()
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)

    assert time.monotonic() - began < 2
    assert (process.returncode, errors) == (0, "")
