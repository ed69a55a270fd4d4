"""Waiting for a line to fall silent, after bytes that nobody could read."""

from collections.abc import Generator
from typing import Any

from pipelines.amr.contract import Exchange, Step
from pipelines.amr.faults import BadFrame, NoAnswer

_QUIET_S = 0.3
_MOST_DRAINED = 16


def drained() -> Generator[Step, Any, None]:
    """Let damaged bytes pass by: a request sent into their rest would be lost, and a stream has no marks of frames.

    Raises
    ------
    BadFrame
        The line does not become quiet.
    """
    for _ in range(_MOST_DRAINED):
        try:
            yield Exchange(b"", len, timeout_s=_QUIET_S)
        except NoAnswer:
            return
    raise BadFrame("the line does not become quiet")
