"""OBIS codes: six octets on the wire, ``A-B:C.D.E`` for people."""

import re

from pipelines.amr.faults import Misconfigured

PATTERN = r"[0-9]{1,3}([-:.*][0-9]{1,3}){2,5}"
CLOCK = bytes((0, 0, 1, 0, 0, 255))
CURRENT_ASSOCIATION = bytes((0, 0, 40, 0, 0, 255))
_ELECTRICITY = (1, 0)
_WHOLE = 255


def obis_code(text: str) -> bytes:
    """Return the six octets of a code as people write it: ``1-0:1.8.0*255``, ``1.8.0`` or ``1.0.1.8.0.255``.

    A and B default to 1-0 (electricity), F to 255 (the current value).

    Raises
    ------
    Misconfigured
        It is no OBIS code.

    Notes
    -----
    Source: IEC 62056-6-1, clause 5.
    """
    groups = tuple(int(group) for group in re.findall(r"\d+", text))
    if not re.fullmatch(PATTERN, text) or max(groups) > 255:
        raise Misconfigured(f"{text[:50]!r} is no OBIS code")
    match len(groups):
        case 3:
            groups = (*_ELECTRICITY, *groups, _WHOLE)
        case 4:
            groups = (*_ELECTRICITY, *groups)
        case 5:
            groups = (*groups, _WHOLE)
    return bytes(groups)


def obis_text(code: bytes) -> str:
    """Return a code as ``A-B:C.D.E``, with ``*F`` where F is not 255."""
    a, b, c, d, e, f = code
    return f"{a}-{b}:{c}.{d}.{e}" + ("" if f == _WHOLE else f"*{f}")
