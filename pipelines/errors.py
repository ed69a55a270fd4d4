"""The five families of errors; the HTTP edge maps each to a status in one table (``api/problems.py``)."""

from collections.abc import Mapping, Sequence

NON_FIELD = "non_field_errors"


class WattloomError(Exception):
    """Base of every error Wattloom raises on purpose; its text is safe to show."""


class RejectedInput(WattloomError):
    """What was sent is wrong, and says where: ``errors`` maps a field to its messages."""

    def __init__(self, errors: Mapping[str, Sequence[str]] | str) -> None:
        fields = {NON_FIELD: [errors]} if isinstance(errors, str) else {k: list(v) for k, v in errors.items()}
        self.errors: dict[str, list[str]] = fields
        super().__init__("; ".join(f"{field}: {' '.join(messages)}" for field, messages in fields.items()))


class Unauthorized(WattloomError):
    """No credentials, or wrong or expired ones."""


class Forbidden(WattloomError):
    """The credentials are right, the action is not allowed with them."""


class NotFound(WattloomError):
    """No such row for this organization (a foreign row looks the same as an unknown one)."""

    def __init__(self, message: str = "Not found.") -> None:
        super().__init__(message)


class Conflict(WattloomError):
    """The action contradicts what is stored."""


class TooManyRequests(WattloomError):
    """More requests than the caller may make; the next one passes after ``retry_after_s`` seconds."""

    def __init__(self, *, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"Request was throttled. Expected available in {retry_after_s} seconds.")


class SourceUnavailable(WattloomError):
    """A database, meter or service did not answer; the same call may succeed later."""


class BrokenContract(WattloomError):
    """Our own code broke a promise: a bug."""


class WrongSetting(WattloomError):
    """A setting is unknown, malformed or contradicts another."""
