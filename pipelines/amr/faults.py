"""Why a session or a call of it failed: one class per reason, each saying whether to try again."""

import traceback
from enum import StrEnum
from pathlib import Path

from pipelines.errors import WattloomError


class Reason(StrEnum):
    """Why a job did not end well; one word for operators, kept with the job."""

    UNREACHABLE = "unreachable"
    CONNECTION_LOST = "connection_lost"
    NO_ANSWER = "no_answer"
    BAD_FRAME = "bad_frame"
    DEADLINE = "deadline"
    AUTHENTICATION = "authentication"
    COUNTER = "invocation_counter"
    REFUSED = "refused_by_meter"
    BAD_DATA = "bad_data"
    UNSUPPORTED = "unsupported"
    CONFIGURATION = "configuration"
    BLOCKED = "interface_blocked"
    SUPERSEDED = "superseded"
    LOST = "collector_lost"
    STORAGE = "storage"
    INTERNAL = "internal"


class MeterFault(WattloomError):
    """A session with a meter went wrong; the text is for operators and never holds a secret."""

    reason: Reason = Reason.INTERNAL
    may_retry: bool = False


class TransportFault(MeterFault):
    """The line failed: the same call may succeed later."""

    may_retry = True


class Unreachable(TransportFault):
    """No connection could be made."""

    reason = Reason.UNREACHABLE


class LinkLost(TransportFault):
    """The peer closed the connection, perhaps in mid-frame."""

    reason = Reason.CONNECTION_LOST


class NoAnswer(TransportFault):
    """Silence for longer than allowed."""

    reason = Reason.NO_ANSWER


class BadFrame(TransportFault):
    """Bytes that are no frame: a wrong checksum, a wrong length, noise, or more than the limit."""

    reason = Reason.BAD_FRAME


class DeadlineReached(TransportFault):
    """The session took longer than it may."""

    reason = Reason.DEADLINE


class AuthenticationFailed(MeterFault):
    """The meter refused our secrets; never tried again blindly, because meters lock out."""

    reason = Reason.AUTHENTICATION


class CounterRefused(MeterFault):
    """The meter refused an invocation counter; never tried again blindly."""

    reason = Reason.COUNTER


class Refused(MeterFault):
    """The meter understood and said no: an unknown object, a value out of range."""

    reason = Reason.REFUSED


class BadData(MeterFault):
    """A whole frame whose content makes no sense."""

    reason = Reason.BAD_DATA


class Unsupported(MeterFault):
    """The driver or the meter does not do this."""

    reason = Reason.UNSUPPORTED


class StorageFailed(TransportFault):
    """What was read could not be stored; the meter still has it."""

    reason = Reason.STORAGE


class Misconfigured(MeterFault):
    """Something needed is not configured: an interface, a key, an address, a model."""

    reason = Reason.CONFIGURATION


def place(error: BaseException) -> str:
    """Return the type of an error and where it was raised, innermost first; never its text, which may hold a secret."""
    frames = [
        f"{Path(frame.f_code.co_filename).name}:{number} in {frame.f_code.co_name}"
        for frame, number in traceback.walk_tb(error.__traceback__)
    ]
    return " < ".join([type(error).__name__, *reversed(frames[-6:])])
