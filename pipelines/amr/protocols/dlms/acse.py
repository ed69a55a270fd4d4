"""Association requests (by the library's codec) and responses (by a bounded BER reader)."""

from dataclasses import dataclass

from dlms_cosem.enumerations import AcseServiceUserDiagnostics, AuthenticationMechanism, ReleaseRequestReason
from dlms_cosem.protocol import acse, xdlms
from dlms_cosem.protocol.xdlms.conformance import Conformance

from pipelines.amr.faults import AuthenticationFailed, BadData, MeterFault, Misconfigured, Refused
from pipelines.amr.protocols.dlms.axdr import read_length

AARE, RLRE = 0x61, 0x63
NONE, LLS, GMAC = "none", "lls", "gmac"
SECURITIES = (NONE, LLS, GMAC)
PDU_LIMIT = 0xFFFF
_MECHANISMS = {LLS: AuthenticationMechanism.LLS, GMAC: AuthenticationMechanism.HLS_GMAC}
_CONTEXT, _RESULT, _DIAGNOSTIC, _TITLE = 0xA1, 0xA2, 0xA3, 0xA4
_MECHANISM, _VALUE, _USER_INFORMATION = 0x89, 0xAA, 0xBE
HLS_GMAC = bytes.fromhex("60857405080205")
_OCTET_STRING, _OBJECT_IDENTIFIER, _INTEGER, _CHARACTERS = 0x04, 0x06, 0x02, 0x80
# The joint-iso-ccitt arc of the DLMS UA, application contexts: logical names, plain (1) or ciphered (3).
_PLAIN_CONTEXT, _CIPHERED_CONTEXT = (bytes.fromhex("608574050801") + bytes([number]) for number in (1, 3))
_FIRST_AUTHENTICATION, _LAST_AUTHENTICATION = 11, 14
_SERVICE_USER, _SERVICE_PROVIDER = 0xA1, 0xA2


@dataclass(frozen=True, slots=True, repr=False)
class AssociationResponse:
    """What an AARE says: whether it accepts, why not, and what the rest of the association needs."""

    is_ciphered: bool
    result: int
    diagnostic: int
    is_service_user: bool
    mechanism: bytes | None
    system_title: bytes | None
    challenge: bytes | None
    user_information: bytes


def initiate_request(*, has_general_protection: bool) -> bytes:
    """Return the InitiateRequest that proposes the services we use."""
    conformance = Conformance(
        general_protection=has_general_protection,
        block_transfer_with_get_or_read=True,
        get=True,
        set=True,
        selective_access=True,
        action=True,
    )
    request = xdlms.InitiateRequest(proposed_conformance=conformance, client_max_receive_pdu_size=PDU_LIMIT)
    return bytes(request.to_bytes())


def association_request(security: str, title: bytes | None, secret: bytes | None, initiate: bytes) -> bytes:
    """Return an AARQ; ``secret`` is the password or the challenge, ``initiate`` plain or already ciphered.

    Raises
    ------
    Misconfigured
        The secret is too long for the short form of a BER length.

    Notes
    -----
    Source: IEC 62056-5-3, clause 9.4.2.
    """
    request = acse.ApplicationAssociationRequest(
        user_information=_user_information(initiate),
        system_title=title,
        authentication=_MECHANISMS.get(security),
        ciphered=security == GMAC,
        authentication_value=secret,
    )
    if len(secret or b"") + len(initiate) > 80:
        raise Misconfigured("the meter's password is longer than an association request can hold")
    return bytes(request.to_bytes())


def release_request(initiate: bytes | None) -> bytes:
    """Return an RLRQ with the normal reason, protected by a ciphered InitiateRequest where there is one."""
    information = None if initiate is None else _user_information(initiate)
    request = acse.ReleaseRequest(reason=ReleaseRequestReason.NORMAL, user_information=information)
    return bytes(request.to_bytes())


def _user_information(content: bytes) -> acse.UserInformation:
    return acse.UserInformation(content=_Allowed(content))


class _Allowed(xdlms.GlobalCipherInitiateRequest):
    """An InitiateRequest that is already octets; the library insists on the class."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets

    def to_bytes(self) -> bytes:
        return self.octets


def read_association_response(apdu: bytes) -> AssociationResponse:
    """Return what an AARE says.

    Raises
    ------
    BadData
        It is no AARE, or its lengths contradict each other.
    """
    outer = dict(_elements(apdu))
    if set(outer) != {AARE}:
        raise BadData("no association response")
    fields = dict(_elements(outer[AARE]))
    context = _inner(fields.get(_CONTEXT, b""), _OBJECT_IDENTIFIER)
    if context not in (_PLAIN_CONTEXT, _CIPHERED_CONTEXT):
        raise BadData("an association of another context than logical names")
    diagnostic = fields.get(_DIAGNOSTIC, b"")
    return AssociationResponse(
        is_ciphered=context == _CIPHERED_CONTEXT,
        result=_integer(fields.get(_RESULT, b"")),
        diagnostic=_integer(_inner(diagnostic, _SERVICE_USER, _SERVICE_PROVIDER)),
        is_service_user=diagnostic[:1] == bytes([_SERVICE_USER]),
        mechanism=fields.get(_MECHANISM),
        system_title=_inner(fields[_TITLE], _OCTET_STRING) if _TITLE in fields else None,
        challenge=_inner(fields[_VALUE], _CHARACTERS) if _VALUE in fields else None,
        user_information=_inner(fields.get(_USER_INFORMATION, b"\x04\x00"), _OCTET_STRING),
    )


def refusal(response: AssociationResponse) -> MeterFault:
    """Return the fault that a rejected association stands for."""
    try:
        words = AcseServiceUserDiagnostics(response.diagnostic).name.lower().replace("_", " ")
    except ValueError:
        words = f"diagnostic {response.diagnostic}"
    if not response.is_service_user:
        return Refused(f"the meter rejects the association: service provider diagnostic {response.diagnostic}")
    text = f"the meter rejects the association: {words}"
    if _FIRST_AUTHENTICATION <= response.diagnostic <= _LAST_AUTHENTICATION:
        return AuthenticationFailed(text)
    return Refused(text)


def _elements(octets: bytes) -> list[tuple[int, bytes]]:
    """Return (tag, content) of the BER elements that ``octets`` are; tags of one octet suffice for ACSE."""
    found = []
    at = 0
    while at < len(octets):
        length, start = read_length(octets, at + 1)
        end = start + length
        if end > len(octets):
            raise BadData("an association response is cut short")
        found.append((octets[at], octets[start:end]))
        at = end
    return found


def _inner(octets: bytes, *tags: int) -> bytes:
    """Return the content of the one element that ``octets`` are, of a tag that is allowed here."""
    elements = _elements(octets)
    if len(elements) != 1 or elements[0][0] not in tags:
        raise BadData("an association response holds an element of another type than it must")
    return elements[0][1]


def _integer(octets: bytes) -> int:
    content = _inner(octets, _INTEGER)
    if not 1 <= len(content) <= 4:
        raise BadData("a number in an association response has no or too many octets")
    return int.from_bytes(content, "big")
