"""What one evaluation may spend, and the meter that counts it."""

import threading
import time
from dataclasses import dataclass

from pipelines.erp.jsonata_watch import Overrun

DEEPEST = 100  # nested calls of functions: the engine's own bound
_WEIGHED_OUTSIDE = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one evaluation may spend.

    Parameters
    ----------
    time_ms
        Time it may take [ms].
    depth
        Calls of functions within each other, at most 100.
    items
        Members of arrays that its operators and functions put together, in all.
    text
        Characters that its operators and functions put together, in all.
    """

    time_ms: int = 100
    depth: int = DEEPEST
    items: int = 1_000_000
    text: int = 10_000_000


class Meter:
    """The rest of one budget."""

    __slots__ = ("due_at_s", "items", "sortable", "text")

    def __init__(self, budget: Budget) -> None:
        self.items = budget.items
        self.text = budget.text
        self.sortable = max(1000, budget.time_ms * 500)  # C sorts a thousand members in about a millisecond
        self.due_at_s = time.monotonic() + budget.time_ms / 1000

    def take_items(self, count: int) -> None:
        """Count members of arrays about to be put together."""
        self.items -= count
        if self.items < 0:
            raise Overrun("U1002", "The expression makes larger arrays than it may.")

    def take_text(self, count: int) -> None:
        """Count characters about to be put together."""
        self.text -= count
        if self.text < 0:
            raise Overrun("U1003", "The expression makes longer texts than it may.")

    def left_s(self) -> float:
        """Time left [s], never zero: a regex takes zero as no limit."""
        left = self.due_at_s - time.monotonic()
        if left <= 0:
            raise Overrun
        return left


class _PerThread(threading.local):
    meter = Meter(Budget(time_ms=10_000, items=_WEIGHED_OUTSIDE, text=_WEIGHED_OUTSIDE))


_PRESENT = _PerThread()


def meter() -> Meter:
    """Return the meter of the evaluation under way in this thread."""
    return _PRESENT.meter


def start(budget: Budget) -> Meter:
    """Begin to count anew; return the meter that was in force, for ``resume``."""
    former = _PRESENT.meter
    _PRESENT.meter = Meter(budget)
    return former


def resume(former: Meter) -> None:
    """Put the former meter back."""
    _PRESENT.meter = former


def weigh(value: object) -> int:
    """Return about how many characters a value has as JSON, indented.

    Raises
    ------
    Overrun
        They are more than the evaluation may still put together: a few shared arrays can spell out as gigabytes.
    """
    bound = _PRESENT.meter.text
    total = 0
    waiting: list[tuple[object, int]] = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        total += 8 + 2 * depth
        if isinstance(item, str):
            total += len(item)
        elif isinstance(item, list):
            waiting.extend((member, depth + 1) for member in item)
        elif isinstance(item, dict):
            total += sum(map(len, item))
            waiting.extend((member, depth + 1) for member in item.values())
        if total + len(waiting) > bound:
            raise Overrun("U1003", "The expression makes longer texts than it may.")
    return total
