"""What a LIS-200 device means by the number of an error message.

Source: Elster, LIS-200 device series, error numbers of the data interface.
"""

import re

from pipelines.amr.datalink import Message
from pipelines.amr.faults import AuthenticationFailed, LinkLost, Refused

WORDS = {
    1: "wrong address",
    2: "wrong address: no such object",
    3: "wrong address: the object has no such entity",
    4: "wrong address: unknown attribute",
    5: "wrong address: the object lacks this attribute",
    6: "value out of range",
    9: "a constant cannot be written",
    11: "no range of values: there is no input",
    13: "wrong input",
    14: "unknown code of units",
    17: "wrong access code",
    18: "no right to read: a lock is closed",
    19: "no right to write: a lock is closed",
    20: "the function is locked",
    100: "no such archive",
    101: "no such column in the archive",
    103: "the archive is empty",
    104: "lower limit not found in the archive",
    105: "upper limit not found in the archive",
    108: "too many archives are open",
    109: "the archive row was overwritten while it was read",
    110: "checksum error in the archive row",
    180: "source not allowed",
    200: "syntax error in the telegram",
    201: "wrong password in the telegram",
    222: "the memory cannot be read",
    223: "the memory cannot be written",
    249: "not possible with an encoder",
}
NOTHING_THERE = frozenset({103, 104, 105})
"""Errors of an archive that has no row in the range."""

_SECRETS = frozenset({17, 201})
_ERROR = re.compile(r"[^()]*\(#(\d{1,4})\)\s*")


def error_number(text: str) -> int | None:
    """Return the number of an error message ``(#0004)``, None of any other text."""
    found = _ERROR.fullmatch(text) if "(#" in text else None
    return int(found[1]) if found else None


def raise_for(message: Message, asked: str) -> None:
    """Raise what a message says instead of an answer to what was asked; any other message passes.

    Raises
    ------
    LinkLost
        The device ends the session.
    AuthenticationFailed
        The access code is wrong.
    Refused
        Any other error.
    """
    if message.head == "B0":
        raise LinkLost(f"{asked}: the device ended the session")
    number = error_number(message.text)
    if number is not None:
        words = f"{asked}: {WORDS.get(number, 'an unknown error')} ({number})"
        raise AuthenticationFailed(words) if number in _SECRETS else Refused(words)
