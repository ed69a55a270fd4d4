"""What became of each row of an event, in the shapes that the ERP is promised."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

_SHOWN = 100  # characters of a refused value that a verdict repeats


class Status(StrEnum):
    """What became of a row."""

    SUCCESS = "success"
    DUPLICATE = "duplicate"
    SUPERSEDED = "superseded"
    WARNING = "warning"
    ERROR = "error"


class Code(StrEnum):
    """Why a row was refused."""

    AMBIGUOUS_IDENTIFIER = "AMBIGUOUS_IDENTIFIER"
    AMBIGUOUS_READING = "AMBIGUOUS_READING"
    CONFIGURATION = "CONFIGURATION_ERROR"
    COUNTER_NOT_FOUND = "METER_COUNTER_NOT_FOUND"
    EXPRESSION = "EXPRESSION_ERROR"
    INVALID_ATTRIBUTE = "INVALID_ATTRIBUTE"
    INVALID_DIRECTION = "INVALID_DIRECTION"
    INVALID_PAYLOAD = "INVALID_PAYLOAD"
    INVALID_REASON = "INVALID_REASON"
    INVALID_ROW = "INVALID_ROW"
    INVALID_SOURCE = "INVALID_SOURCE"
    INVALID_TIMESTAMP = "INVALID_TIMESTAMP"
    INVALID_VALUE = "INVALID_READING_VALUE"
    METER_NOT_FOUND = "METER_NOT_FOUND"
    MISSING_IDENTIFIER = "MISSING_IDENTIFIER"
    TIMEOUT = "TIMEOUT"
    TIMESTAMP_TAKEN = "TIMESTAMP_TAKEN"


class RowError(Exception):
    """A row cannot be taken; says why, in words and in a code."""

    def __init__(self, code: Code, message: str, /, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details


def received(value: Any) -> Any:
    """Return what a verdict repeats of a refused value: little, and nothing that JSON could not carry."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal | str):
        text = str(value)[:_SHOWN].encode(errors="replace").decode().replace("\0", "\ufffd")
        fits = isinstance(value, int) or (isinstance(value, float | Decimal) and _is_plain(value))
        return value if fits and len(text) < 19 else text
    return f"({type(value).__name__})"


def _is_plain(value: float | Decimal) -> bool:
    number = Decimal(str(value))
    return number.is_finite() and abs(number.adjusted()) < 19


@dataclass(kw_only=True)
class Outcome:
    """The verdict on one row: where it stands in the configuration and in the payload, and what became of it."""

    kind: str
    item: int
    index: int | None
    status: Status = Status.SUCCESS
    message: str = ""
    action: str | None = None
    error: dict[str, Any] | None = None
    warnings: list[str] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)

    def refuse(self, error: RowError) -> None:
        """Turn the verdict into a refusal."""
        self.status, self.message, self.action = Status.ERROR, error.message, None
        self.error = {"code": error.code.value, "details": error.details}

    def settle(self, action: str, message: str, status: Status = Status.SUCCESS) -> None:
        """Say what was done."""
        self.status, self.message, self.action, self.error = status, message, action, None

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as it is stored and shown."""
        shown: dict[str, Any] = {"kind": self.kind, "item": self.item, "index": self.index}
        shown |= {"status": self.status.value, "message": self.message}
        if self.action is not None:
            shown["action"] = self.action
        if self.error is not None:
            shown["error"] = self.error
        if self.warnings:
            shown["warnings"] = self.warnings
        if self.kept:
            shown["kept"] = self.kept
        return shown
