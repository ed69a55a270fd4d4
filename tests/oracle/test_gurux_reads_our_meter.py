"""An independent client (Gurux, GPL, not a dependency) must read our simulator: what only agrees with itself proves
nothing. Runs where ``gurux_dlms`` is importable (dependency group ``oracle``), and is skipped elsewhere."""

import asyncio
import socket
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipelines import clock
from pipelines.simulators.meters.archive import steady_archive
from pipelines.simulators.meters.dlms import DlmsMeter
from pipelines.simulators.meters.dlms_objects import MeterState
from pipelines.simulators.meters.server import HOST, MeterServer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    gurux = pytest.importorskip("gurux_dlms")
    from gurux_dlms import GXDateTime, GXReplyData
    from gurux_dlms.enums import Authentication, InterfaceType, Security
    from gurux_dlms.objects import GXDLMSClock, GXDLMSProfileGeneric, GXDLMSRegister
    from gurux_dlms.secure import GXDLMSSecureClient

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 30, 10, 0, 7, tzinfo=UTC)
ARCHIVE = steady_archive(start=datetime(2026, 3, 25, tzinfo=UTC), rows=1000, interval_s=900, initial_wh=5_000)
PASSWORD = b"12345678"
GUEK, GAK = bytes(range(16)), bytes(range(0xD0, 0xE0))
AUTHENTICATION = {"none": Authentication.NONE, "lls": Authentication.LOW, "gmac": Authentication.HIGH_GMAC}
INTERFACE = {"wrapper": InterfaceType.WRAPPER, "hdlc": InterfaceType.HDLC}
CASES = [(framing, security) for framing in INTERFACE for security in AUTHENTICATION]


@pytest.fixture(autouse=True)
def _fixed_clock() -> Iterator[None]:
    clock.start_at(NOW)
    yield
    clock.start_at(None)


class Reader:
    """The least that makes Gurux's codec a client: it is sans-IO too."""

    def __init__(self, port: int, framing: str, security: str) -> None:
        client = GXDLMSSecureClient(
            useLogicalNameReferencing=True,
            clientAddress=1,
            serverAddress=1,
            forAuthentication=AUTHENTICATION[security],
            password=PASSWORD.decode() if security == "lls" else None,
            interfaceType=INTERFACE[framing],
        )
        if security == "gmac":
            client.ciphering.security = Security.AUTHENTICATION_ENCRYPTION
            client.ciphering.systemTitle = b"GRX\x00\x00\x00\x00\x01"
            client.ciphering.blockCipherKey = GUEK
            client.ciphering.authenticationKey = GAK
            client.ciphering.invocationCounter = 100
        self.client = client
        self.framing, self.security = framing, security
        self.socket = socket.create_connection((HOST, port), timeout=5)

    def exchange(self, request: bytes | None, reply: Any) -> None:
        """Send one frame and read until the codec calls the answer whole."""
        if request is None:
            return
        self.socket.sendall(bytes(request))
        received = bytearray()
        while True:
            segment = self.socket.recv(65_536)
            assert segment, "the meter closed the connection"
            received += segment
            buffer = gurux.GXByteBuffer(bytes(received))
            if self.client.getData(buffer, reply, GXReplyData()):
                break
        assert not reply.error, reply.getErrorMessage()

    def ask(self, requests: Any) -> Any:
        """Send a list of requests, follow blocks and segments, and return the whole answer."""
        reply = GXReplyData()
        for request in requests if isinstance(requests, list) else [requests]:
            reply.clear()
            self.exchange(request, reply)
            while reply.isMoreData():
                self.exchange(self.client.receiverReady(reply), reply)
        return reply

    def associate(self) -> None:
        if self.framing == "hdlc":
            reply = GXReplyData()
            self.exchange(self.client.snrmRequest(), reply)
            self.client.parseUAResponse(reply.data)
        self.client.parseAareResponse(self.ask(self.client.aarqRequest()).data)
        if self.security == "gmac":
            self.client.parseApplicationAssociationResponse(
                self.ask(self.client.getApplicationAssociationRequest()).data
            )

    def read(self, item: Any, attribute: int) -> Any:
        reply = self.ask(self.client.read(item, attribute))
        return self.client.updateValue(item, attribute, reply.value)

    def close(self) -> None:
        reply = GXReplyData()
        if self.framing == "hdlc":
            self.exchange(self.client.disconnectRequest(), reply)
        self.socket.close()


def read_with_gurux(framing: str, security: str, work: Callable[[Reader], Any], **more: Any) -> Any:
    """Serve a meter, let Gurux associate over a real socket, and return what ``work`` returns."""
    settings = {
        "password": PASSWORD,
        "encryption_key": GUEK,
        "authentication_key": GAK,
        "state": MeterState(),
    } | more

    async def serve() -> Any:
        server = await MeterServer(
            lambda faults: DlmsMeter(
                ARCHIVE,
                faults,
                framing=framing,
                security=security,
                zone=ZONE,
                pdu_limit=500,
                **settings,
            )
        ).start()
        try:
            return await asyncio.wait_for(asyncio.to_thread(run, server.port), 20)
        finally:
            await server.stop()

    def run(port: int) -> Any:
        reader = Reader(port, framing, security)
        try:
            reader.associate()
            result = work(reader)
            reader.close()
        finally:
            reader.socket.close()
        return result

    return asyncio.run(serve())


@pytest.mark.parametrize(("framing", "security"), CASES)
def test_gurux_reads_the_clock(framing: str, security: str) -> None:
    def work(reader: Reader) -> datetime:
        shown = GXDLMSClock()
        reader.read(shown, 2)
        return shown.time.value.astimezone(UTC)

    seen = read_with_gurux(framing, security, work)

    assert timedelta(0) <= seen - NOW.replace(microsecond=0) < timedelta(seconds=10)


@pytest.mark.parametrize(("framing", "security"), CASES)
def test_gurux_reads_a_register_with_its_scaler_and_unit(framing: str, security: str) -> None:
    def work(reader: Reader) -> tuple[Any, Any, Any]:
        register = GXDLMSRegister("1.0.1.8.0.255")
        reader.read(register, 3)
        reader.read(register, 2)
        return register.value, register.scaler, int(register.unit)

    assert read_with_gurux(framing, security, work) == (ARCHIVE.register_at(NOW), 1, 30)


@pytest.mark.parametrize(("framing", "security"), CASES)
def test_gurux_reads_a_profile_by_range_in_blocks(framing: str, security: str) -> None:
    start, end = datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 3, 29, 4, tzinfo=UTC)

    def work(reader: Reader) -> list[tuple[datetime, int]]:
        profile = GXDLMSProfileGeneric("1.0.99.1.0.255")
        reader.read(profile, 3)
        requests = reader.client.readRowsByRange(
            profile, GXDateTime(start.astimezone(ZONE)), GXDateTime(end.astimezone(ZONE))
        )
        reader.client.updateValue(profile, 2, reader.ask(requests).value)
        return [(row[0].value.astimezone(UTC), row[1]) for row in profile.buffer]

    assert read_with_gurux(framing, security, work) == ARCHIVE.rows(start, end)


@pytest.mark.parametrize("framing", list(INTERFACE))
@pytest.mark.parametrize("security", ["lls", "gmac"])
def test_gurux_is_refused_with_other_secrets(framing: str, security: str) -> None:
    others = {"password": b"87654321", "encryption_key": bytes(16)}

    with pytest.raises(Exception, match=r"(?i)permanently rejected|authentication"):
        read_with_gurux(framing, security, lambda reader: reader.read(GXDLMSClock(), 2), **others)


@pytest.mark.parametrize("framing", list(INTERFACE))
def test_gurux_is_refused_with_a_counter_that_was_used(framing: str) -> None:
    with pytest.raises(Exception, match=r"(?i)invocation counter|exception|service"):
        read_with_gurux(
            framing,
            "gmac",
            lambda reader: reader.read(GXDLMSClock(), 2),
            state=MeterState(last_client_counter=100_000),
        )
