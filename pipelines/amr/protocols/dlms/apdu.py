"""xDLMS services with logical names: requests by the library's codec, replies by a bounded reader of our own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlms_cosem.cosem import CosemAttribute, CosemMethod
from dlms_cosem.cosem.obis import Obis
from dlms_cosem.enumerations import DataAccessResult
from dlms_cosem.protocol import xdlms
from dlms_cosem.protocol.xdlms.invoke_id_and_priority import InvokeIdAndPriority

from pipelines.amr.faults import AuthenticationFailed, BadData, CounterRefused, MeterFault, Refused
from pipelines.amr.protocols.dlms.axdr import read_length
from pipelines.amr.protocols.dlms.obis import obis_text

GET_RESPONSE, SET_RESPONSE, ACTION_RESPONSE = 0xC4, 0xC5, 0xC7
EXCEPTION_RESPONSE, CONFIRMED_SERVICE_ERROR = 0xD8, 0x0E
_NORMAL, _WITH_BLOCK = 1, 2
_RESULTS: Mapping[int, str] = {code.value: code.name.lower().replace("_", " ") for code in DataAccessResult}
_STATE_ERRORS = {1: "service not allowed", 2: "service unknown"}
_SERVICE_ERRORS = {
    1: "operation not possible",
    2: "service not supported",
    3: "other reason",
    4: "PDU too long",
    5: "deciphering error",
    6: "invocation counter error",
}
_DECIPHERING, _COUNTER = 5, 6


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute (or a method) of an object: class, logical name, index."""

    interface: int
    obis: bytes
    index: int

    def __str__(self) -> str:
        """Return it as operators write it."""
        return f"{obis_text(self.obis)} attribute {self.index} (class {self.interface})"


@dataclass(frozen=True, slots=True)
class Value:
    """The whole answer to a GET or the return value of a method, still encoded."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a long answer."""

    number: int
    is_last: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Denied:
    """The meter's refusal of one attribute, in the standard's words; no words where it was not refused."""

    words: str


Reply = Value | Block | Denied


@dataclass(frozen=True, slots=True)
class Selection:
    """A selective access descriptor that is already encoded."""

    octets: bytes

    def to_bytes(self) -> bytes:
        """Return the descriptor as the library's request asks for it."""
        return self.octets


def _invoke(invoke_id: int) -> Any:
    return InvokeIdAndPriority(invoke_id=invoke_id, confirmed=True, high_priority=True)


def _obis(code: bytes) -> Any:
    return Obis(*code)


def get_request(invoke_id: int, attribute: Attribute, selection: bytes | None = None) -> bytes:
    """Return a Get-Request-Normal."""
    request = xdlms.GetRequestNormal(
        cosem_attribute=CosemAttribute(attribute.interface, _obis(attribute.obis), attribute.index),
        invoke_id_and_priority=_invoke(invoke_id),
        access_selection=None if selection is None else Selection(selection),
    )
    return bytes(request.to_bytes())


def get_next(invoke_id: int, block: int) -> bytes:
    """Return a Get-Request-Next that asks for what follows ``block``."""
    request = xdlms.GetRequestNext(block_number=block, invoke_id_and_priority=_invoke(invoke_id))
    return bytes(request.to_bytes())


def set_request(invoke_id: int, attribute: Attribute, value: bytes) -> bytes:
    """Return a Set-Request-Normal."""
    request = xdlms.SetRequestNormal(
        cosem_attribute=CosemAttribute(attribute.interface, _obis(attribute.obis), attribute.index),
        data=value,
        invoke_id_and_priority=_invoke(invoke_id),
    )
    return bytes(request.to_bytes())


def action_request(invoke_id: int, method: Attribute, value: bytes) -> bytes:
    """Return an Action-Request-Normal."""
    request = xdlms.ActionRequestNormal(
        cosem_method=CosemMethod(method.interface, _obis(method.obis), method.index),
        data=value,
        invoke_id_and_priority=_invoke(invoke_id),
    )
    return bytes(request.to_bytes())


def is_answer(apdu: bytes, service: int, invoke_id: int) -> bool:
    """Tell whether an APDU answers the request of this service and invoke id; errors answer everything."""
    if apdu[:1] in (bytes([EXCEPTION_RESPONSE]), bytes([CONFIRMED_SERVICE_ERROR])):
        return True
    return len(apdu) > 2 and apdu[0] == service and apdu[2] & 0x0F == invoke_id


def read_reply(apdu: bytes, service: int) -> Reply:
    """Return what a GET, SET or ACTION response says.

    Raises
    ------
    BadData
        It is another APDU, or cut short.
    Refused, CounterRefused, AuthenticationFailed
        The meter answers with an exception.

    Notes
    -----
    Source: IEC 62056-5-3, clause 9.5.
    """
    raise_exception(apdu)
    if len(apdu) < 4 or apdu[0] != service:
        raise BadData(f"an APDU of type {apdu[0] if apdu else 'none'} in place of the answer")
    if service == GET_RESPONSE:
        return _get_reply(apdu)
    if apdu[1] != _NORMAL:
        raise BadData("the answer comes in blocks, which were not asked for")
    if service == SET_RESPONSE or apdu[3]:
        return Denied(_words(apdu[3]))
    if len(apdu) < 5 or not apdu[4]:
        return Denied("")
    return _data_result(apdu[5:])


def _get_reply(apdu: bytes) -> Reply:
    if apdu[1] == _NORMAL:
        return _data_result(apdu[3:])
    if apdu[1] != _WITH_BLOCK or len(apdu) < 10:
        raise BadData("a Get-Response that was not asked for, or is cut short")
    is_last, number = bool(apdu[3]), int.from_bytes(apdu[4:8], "big")
    if apdu[8]:
        return Denied(_words(apdu[9]))
    length, start = read_length(apdu, 9)
    if length != len(apdu) - start:
        raise BadData("a block that is not as long as it says")
    return Block(number, is_last, apdu[start:])


def _data_result(octets: bytes) -> Reply:
    if len(octets) < 2 or octets[0] > 1:
        raise BadData("a response without data or result")
    return Denied(_words(octets[1])) if octets[0] else Value(octets[1:])


def _words(code: int) -> str:
    return "" if code == 0 else _RESULTS.get(code, f"reason {code}")


def raise_exception(apdu: bytes) -> None:
    """Raise the fault that an Exception-Response or a Confirmed-Service-Error stands for.

    Raises
    ------
    Refused, CounterRefused, AuthenticationFailed
        According to its service error.
    """
    if apdu[:1] == bytes([CONFIRMED_SERVICE_ERROR]):
        raise Refused(f"the meter reports a confirmed service error {apdu[1:4].hex(' ')}")
    if apdu[:1] != bytes([EXCEPTION_RESPONSE]):
        return
    state = apdu[1] if len(apdu) > 1 else 0
    service = apdu[2] if len(apdu) > 2 else 0
    raise _exception(state, service, apdu[3:7])


def _exception(state: int, service: int, more: bytes) -> MeterFault:
    if service == _COUNTER:
        known = f"; the last it accepted is {int.from_bytes(more, 'big')}" if len(more) == 4 else ""
        return CounterRefused(f"the meter refuses our invocation counter{known}")
    if service == _DECIPHERING:
        return AuthenticationFailed("the meter cannot decipher our requests: a key differs from its own")
    words = f"{_STATE_ERRORS.get(state, f'state {state}')}, {_SERVICE_ERRORS.get(service, f'service {service}')}"
    return Refused(f"the meter answers with an exception: {words}")
