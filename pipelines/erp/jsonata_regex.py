"""Regular expressions that give up in time: the engine's patterns, each search with the time that is left."""

import re
from typing import Any

import regex

from pipelines.erp.jsonata_meter import meter
from pipelines.erp.jsonata_watch import Overrun


class TimedPattern:
    """A compiled pattern whose searches end with the evaluation's time; what it matches is counted as text."""

    __slots__ = ("_pattern",)

    def __init__(self, pattern: Any) -> None:
        self._pattern = pattern

    def search(self, text: str, position: int = 0) -> Any:
        """Search from a position on."""
        return self._timed(self._pattern.search, text, position)

    def fullmatch(self, text: str) -> Any:
        """Match all of a text."""
        return self._timed(self._pattern.fullmatch, text, 0)

    def match(self, text: str) -> Any:
        """Match the beginning of a text."""
        return self._timed(self._pattern.match, text, 0)

    def _timed(self, find: Any, text: str, position: int) -> Any:
        now = meter()
        try:
            found = find(text, position, timeout=now.left_s())
        except TimeoutError:
            raise Overrun from None
        except MemoryError:
            raise Overrun("U1003", "The regular expression needs more memory than it may.") from None
        if found is not None:
            now.take_text((found.end() - found.start()) * (1 + self._pattern.groups))
        return found

    @property
    def groups(self) -> int:
        """How many groups the pattern has."""
        return int(self._pattern.groups)


class TimedRe:
    """Stands in for the module ``re`` where the engine makes patterns out of date pictures."""

    IGNORECASE = regex.IGNORECASE
    search = staticmethod(re.search)
    match = staticmethod(re.match)
    sub = staticmethod(re.sub)
    escape = staticmethod(re.escape)

    @staticmethod
    def compile(pattern: str, flags: int = 0) -> TimedPattern:
        """Compile with the engine that knows timeouts."""
        return TimedPattern(regex.compile(pattern, flags))
