"""Plain paths, such as ``$.meters.readings`` or ``$$.batchId``, read without an expression engine.

They are the common case by far. What they mean is what JSONata means by them: a step into a list is a step into
each of its items, and lists that this finds are joined.
"""

import re
from dataclasses import dataclass
from typing import Any

_STEP = r"(?:[A-Za-z_][A-Za-z0-9_]*|`[^`]+`)"
_PATH = re.compile(
    rf"(?:(?P<root>\${{1,2}})(?:\.(?P<below>{_STEP}(?:\.{_STEP})*))?|(?P<bare>{_STEP}(?:\.{_STEP})*))"
)
_STEPS = re.compile(_STEP)
_WORDS = frozenset(
    {"and", "or", "in", "true", "false", "null", "function"}
)  # mean something else in an expression
ABSENT: Any = object()


@dataclass(frozen=True)
class Path:
    """Names to step through, from the row or, with ``of_root``, from the whole payload."""

    of_root: bool
    steps: tuple[str, ...]

    def find(self, row: Any, root: Any) -> Any:
        """Return what the path leads to, ``ABSENT`` where it leads nowhere."""
        value = root if self.of_root else row
        for step in self.steps:
            value = _stepped(value, step)
            if value is ABSENT:
                return ABSENT
        return value


def plain_path(text: str) -> Path | None:
    """Return the path that ``text`` is; None where it is more than a path."""
    found = _PATH.fullmatch(text.strip())
    if found is None:
        return None
    steps = tuple(step.strip("`") for step in _STEPS.findall(found["below"] or found["bare"] or ""))
    if not found["root"] and steps[0] in _WORDS:
        return None
    return Path(found["root"] == "$$", steps)


def _stepped(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return value.get(name, ABSENT)
    if not isinstance(value, list):
        return ABSENT
    found: list[Any] = []
    for item in value:
        inner = _stepped(item, name)
        if isinstance(inner, list):
            found += inner
        elif inner is not ABSENT:
            found.append(inner)
    if not found:
        return ABSENT
    return found[0] if len(found) == 1 else found
