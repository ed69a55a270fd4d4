"""One application association: set up, checked on both sides, used by every service, released."""

from dataclasses import replace

from pipelines.amr.contract import Meter
from pipelines.amr.faults import (
    AuthenticationFailed,
    BadData,
    BadFrame,
    CounterRefused,
    MeterFault,
    Misconfigured,
    NoAnswer,
    Refused,
    TransportFault,
)
from pipelines.amr.protocols.dlms import acse
from pipelines.amr.protocols.dlms.apdu import Attribute, raise_exception
from pipelines.amr.protocols.dlms.axdr import decode, octet_string
from pipelines.amr.protocols.dlms.ciphering import CLIENT_TITLE, TITLE_LENGTH, Cipher, checked_key
from pipelines.amr.protocols.dlms.obis import CURRENT_ASSOCIATION, obis_code
from pipelines.amr.protocols.dlms.services import act, get
from pipelines.amr.protocols.dlms.settings import Association
from pipelines.amr.protocols.dlms.state import State, next_counter
from pipelines.amr.protocols.dlms.wire import Talk, Wire

PUBLIC_CLIENT = 16
_DATA_CLASS = 1
_INITIATE_RESPONSE = b"\x08"
_REPLY_TO_HLS = Attribute(15, CURRENT_ASSOCIATION, 1)


def associate(state: State, wanted: Association) -> Talk[None]:
    """Set up ``wanted``, after releasing another one; do nothing where it stands.

    Raises
    ------
    Misconfigured
        A secret is missing; the text says which.
    AuthenticationFailed
        The meter refuses our secrets, or is not the meter we know. It is tried once a session.
    Refused, BadData, TransportFault
        The meter refuses for another reason, talks nonsense, or does not talk.
    """
    if state.refused is not None:
        raise state.refused
    if state.association == wanted:
        return
    yield from release(state)
    secret, state.cipher = _secrets(state, wanted)
    state.wire = wanted.wire()
    state.is_in_order = False
    try:
        yield from state.wire.connect()
        yield from _request(state, state.wire, wanted, secret)
    except MeterFault as fault:
        if wanted.security == acse.NONE:
            raise
        # The secret was shown, so this session shows it to nobody again.
        state.refused = yield from _explained(state, wanted, fault)
        raise state.refused from None
    state.is_in_order = True
    state.association = wanted


def release(state: State) -> Talk[None]:
    """Release the association and the link; in a session that is out of order, without waiting for the meter."""
    wire, in_order = state.wire, state.is_in_order and state.association is not None
    if wire is None:
        return
    try:
        if in_order:
            initiate = None
            if state.cipher is not None:
                plain = acse.initiate_request(has_general_protection=state.cipher.is_general)
                initiate = state.cipher.protect(plain, (yield from next_counter(state)))
            yield from wire.exchange(acse.release_request(initiate))
    except TransportFault:
        in_order = False
    finally:
        state.association = state.wire = None
        state.scalers.clear()
    yield from wire.disconnect(in_order=in_order)


def _secrets(state: State, wanted: Association) -> tuple[bytes | None, Cipher | None]:
    keys, name = state.meter.keys, state.meter.name
    if wanted.security == acse.LLS:
        if not keys.password:
            raise Misconfigured(f"meter {name} has no password, which security lls needs")
        return keys.password.encode(), None
    if wanted.security == acse.GMAC:
        cipher = Cipher(
            encryption_key=checked_key(keys.encryption_key, "global unicast encryption key"),
            authentication_key=checked_key(keys.authentication_key, "global authentication key"),
            is_general=wanted.is_general,
        )
        return state.challenge(), cipher
    return None, None


def _request(state: State, wire: Wire, wanted: Association, secret: bytes | None) -> Talk[None]:
    initiate = acse.initiate_request(has_general_protection=wanted.is_general)
    title = None
    if state.cipher is not None:
        title = CLIENT_TITLE
        initiate = state.cipher.protect(initiate, (yield from next_counter(state)))
    request = acse.association_request(wanted.security, title, secret, initiate)
    # A secret is shown to the meter once: only a request without one is repeated after silence.
    attempts = wire.attempts if wanted.security == acse.NONE else 1
    apdu = yield from _repeated(wire, request, attempts)
    raise_exception(apdu)
    response = acse.read_association_response(apdu)
    if response.result:
        raise acse.refusal(response)
    if response.is_ciphered is not (state.cipher is not None):
        raise BadData("the meter accepts an association of another protection than was asked for")
    if state.cipher is not None and secret is not None:
        yield from _authenticate(state, state.cipher, response, secret)


def _repeated(wire: Wire, request: bytes, attempts: int) -> Talk[bytes]:
    fault: MeterFault = NoAnswer("no answer to the association request")
    for _ in range(attempts):
        try:
            return (yield from wire.exchange(request))
        except (NoAnswer, BadFrame) as error:
            fault = error
    raise fault


def _authenticate(
    state: State, cipher: Cipher, response: acse.AssociationResponse, challenge: bytes
) -> Talk[None]:
    """Run passes three and four of high-level security with GMAC.

    Notes
    -----
    Source: DLMS UA Green Book, 9.2.7.4 (HLS mechanism 5).
    """
    cipher.meter_title = _checked_title(state.meter, response.system_title)
    if response.mechanism not in (None, acse.HLS_GMAC):
        raise BadData("the meter goes on with another authentication mechanism than GMAC")
    if not response.challenge or response.challenge == challenge:
        raise AuthenticationFailed("the meter gives no challenge of its own, so it proves nothing")
    if cipher.unprotect(response.user_information)[:1] != _INITIATE_RESPONSE:
        raise BadData("the meter accepts us without its part of the association")
    proof = cipher.prove(response.challenge, (yield from next_counter(state)))
    try:
        returned = yield from act(state, _REPLY_TO_HLS, octet_string(proof))
    except Refused as fault:
        raise AuthenticationFailed(f"the meter refuses our answer to its challenge: {fault}") from None
    answer = decode(returned)
    if not isinstance(answer, bytes):
        raise BadData("the meter's answer to our challenge is no octet string")
    cipher.check_proof(answer, challenge)


def _explained(state: State, wanted: Association, fault: MeterFault) -> Talk[MeterFault]:
    """Return a refusal together with the meter's own invocation counter, where its model says who may read it.

    Meters tell a used counter and a wrong key alike. Only the public client asks, with no secret, and nothing is
    tried again: the counter is for the operator to set.
    """
    is_refusal = isinstance(fault, AuthenticationFailed | CounterRefused) and wanted.security == acse.GMAC
    if wanted.counter is None or state.wire is None or not is_refusal:
        return fault
    used, public = state.counter - 1, replace(wanted, security=acse.NONE, client=PUBLIC_CLIENT)
    try:
        yield from state.wire.disconnect(in_order=True)
        state.wire, state.cipher = public.wire(), None
        yield from state.wire.connect()
        yield from _request(state, state.wire, public, None)
        known = yield from get(state, Attribute(_DATA_CLASS, obis_code(wanted.counter), 2))
    except MeterFault:
        return fault
    if not isinstance(known, int) or known <= used:
        return fault
    return CounterRefused(f"the meter's invocation counter is {known}, ours was {used}: {fault}")


def _checked_title(meter: Meter, answered: bytes | None) -> bytes:
    """Return the meter's system title: the answered one, which must be the configured one where both are known."""
    title = answered or meter.system_title
    if title is None or len(title) != TITLE_LENGTH:
        raise BadData("the meter does not tell its system title")
    if meter.system_title is not None and title != meter.system_title:
        raise AuthenticationFailed(
            f"the meter's system title is {title.hex()}, configured is {meter.system_title.hex()}"
        )
    return title
