"""GET, SET and ACTION in an association: one request, the answer to exactly that request, blocks put together."""

from pipelines.amr.faults import BadData, BadFrame, MeterFault, NoAnswer, Refused
from pipelines.amr.protocols.dlms.apdu import (
    ACTION_RESPONSE,
    GET_RESPONSE,
    SET_RESPONSE,
    Attribute,
    Block,
    Denied,
    Reply,
    Value,
    action_request,
    get_next,
    get_request,
    is_answer,
    read_reply,
    set_request,
)
from pipelines.amr.protocols.dlms.axdr import Data, decode
from pipelines.amr.protocols.dlms.ciphering import Repeated
from pipelines.amr.protocols.dlms.state import State, next_counter
from pipelines.amr.protocols.dlms.wire import Talk

TRANSFER_LIMIT = 1 << 20
BLOCK_LIMIT = 5_000
_STALE_ANSWERS = 4


def get(state: State, attribute: Attribute, selection: bytes | None = None) -> Talk[Data]:
    """Return the value of an attribute; a request that met silence or damage is made anew, three times in all.

    Raises
    ------
    Refused
        The meter refuses the attribute; the text holds its words.
    BadData
        The answer makes no sense, or is longer than 1 MiB.
    TransportFault
        The line did not recover.
    """
    fault: MeterFault = NoAnswer("no answer")
    for _ in range(state.connected().attempts):
        try:
            return decode((yield from _get_once(state, attribute, selection)))
        except (NoAnswer, BadFrame) as error:
            fault = error
    raise fault


def set_value(state: State, attribute: Attribute, value: bytes) -> Talk[None]:
    """Write an attribute, once.

    Raises
    ------
    Refused
        The meter refuses; the text holds its words.
    """
    invoke_id = state.next_invoke_id()
    reply = yield from _ask(state, set_request(invoke_id, attribute, value), SET_RESPONSE, invoke_id)
    if not isinstance(reply, Denied) or reply.words:
        raise Refused(f"{attribute} cannot be written: {_words(reply)}")


def act(state: State, method: Attribute, value: bytes) -> Talk[bytes]:
    """Invoke a method, once, and return what it returns, encoded.

    Raises
    ------
    Refused
        The meter refuses, or returns nothing.
    """
    invoke_id = state.next_invoke_id()
    reply = yield from _ask(state, action_request(invoke_id, method, value), ACTION_RESPONSE, invoke_id)
    if not isinstance(reply, Value):
        raise Refused(f"{method}: {_words(reply)}")
    return reply.data


def _get_once(state: State, attribute: Attribute, selection: bytes | None) -> Talk[bytes]:
    invoke_id = state.next_invoke_id()
    reply = yield from _ask(state, get_request(invoke_id, attribute, selection), GET_RESPONSE, invoke_id)
    collected = bytearray()
    for number in range(1, BLOCK_LIMIT + 1):
        if isinstance(reply, Value) and number == 1:
            return reply.data
        if not isinstance(reply, Block):
            raise Refused(f"{attribute}: {_words(reply)}")
        if reply.number != number:
            raise BadData(f"block {reply.number} of {attribute} came in place of block {number}")
        collected += reply.data
        if len(collected) > TRANSFER_LIMIT:
            break
        if reply.is_last:
            return bytes(collected)
        request = get_next(invoke_id, number)
        reply = yield from _ask(state, request, GET_RESPONSE, invoke_id, block=number + 1)
    raise BadData(f"{attribute} is longer than a meter's answer may be")


def _ask(state: State, request: bytes, service: int, invoke_id: int, *, block: int = 1) -> Talk[Reply]:
    """Send one request and return its answer, skipping late and repeated answers to earlier ones."""
    wire = state.connected()
    if state.cipher is not None:
        request = state.cipher.protect(request, (yield from next_counter(state)))
    apdu = yield from wire.exchange(request)
    for _ in range(_STALE_ANSWERS):
        plain = _unprotected(state, apdu)
        if plain is not None and is_answer(plain, service, invoke_id):
            reply = read_reply(plain, service)
            if not isinstance(reply, Block) or reply.number >= block:
                return reply
        apdu = yield from wire.receive()
    raise BadFrame("the meter goes on answering older requests")


def _unprotected(state: State, apdu: bytes) -> bytes | None:
    """Return the plain APDU; None for a repetition of the one before."""
    if state.cipher is None:
        return apdu
    try:
        return state.cipher.unprotect(apdu)
    except Repeated:
        return None


def _words(reply: Reply) -> str:
    return (reply.words or "no data") if isinstance(reply, Denied) else "an answer of another form"
