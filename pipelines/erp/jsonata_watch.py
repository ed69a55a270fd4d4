"""Ends code that runs too long in its own thread: a watcher raises ``Overrun`` in it.

Python cannot be asked to stop a computation from outside, except by ``PyThreadState_SetAsyncExc``, which raises an
exception at the next bytecode of a thread. One watcher thread per process looks every few milliseconds at the
evaluations under way. What a single C call does (a regex, a long copy) is not seen here; ``jsonata_guard`` bounds it.
"""

import contextlib
import ctypes
import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

_POLL_S = 0.004
_AGAIN_S = 0.05  # a finalizer that began just then has swallowed the first exception
_IDLE_POLLS = 250
_FINALIZERS = {"__del__", "_evict_linecache"}
_WEAK = ("weakref.py", "_weakrefset.py")

_raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
_raise_in.argtypes = [ctypes.c_ulong, ctypes.py_object]
_raise_in.restype = ctypes.c_int

T = TypeVar("T")


class Overrun(BaseException):
    """A budget is spent; no ``except Exception`` of an engine may take it for something else."""

    def __init__(self, code: str = "U1001", message: str = "The expression took longer than it may.") -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(slots=True, eq=False)
class _Slot:
    thread: int
    due_at_s: float
    around: "_Slot | None"  # the evaluation that this one is part of
    is_fired: bool = False


class Watch:
    """Runs work for at most a given time, in the caller's thread; safe from several threads and after a fork."""

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._slots: dict[int, _Slot] = {}
        self._wake = threading.Event()
        self._is_awake = False
        self._thread: threading.Thread | None = None

    def run(self, limit_s: float, work: Callable[[], T]) -> T:
        """Return what ``work`` returns.

        Raises
        ------
        Overrun
            It did not end in time. Nothing is raised in this thread after this call has ended.
        """
        thread = threading.get_ident()
        around = self._slots.get(thread)
        due_at_s = time.monotonic() + limit_s
        slot = _Slot(thread, due_at_s if around is None else min(due_at_s, around.due_at_s), around)
        try:
            self._slots[thread] = slot
            if not self._is_awake:
                self._rouse()
            try:
                return work()
            finally:
                self._leave(slot)
        except Overrun:
            self._settle(slot)
            raise

    def _leave(self, slot: _Slot) -> None:
        with self._lock:
            if slot.around is None:
                self._slots.pop(slot.thread, None)
            else:
                self._slots[slot.thread] = slot.around
            if slot.is_fired:
                _raise_in(slot.thread, ctypes.py_object())  # forgets one that is still on its way

    def _settle(self, slot: _Slot) -> None:
        while True:
            try:
                self._leave(slot)
            except Overrun:
                continue
            return

    def _rouse(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._patrol, name="jsonata-watch", daemon=True)
                self._thread.start()
            self._is_awake = True
            self._wake.set()

    def _patrol(self) -> None:
        idle = 0
        while True:
            time.sleep(_POLL_S)
            if self._slots:
                idle = 0
                with self._lock:
                    self._strike(time.monotonic())
                continue
            idle += 1
            if idle > _IDLE_POLLS:
                idle = 0
                self._sleep()

    def _strike(self, now_s: float) -> None:
        for slot in list(self._slots.values()):
            if now_s >= slot.due_at_s and not _is_finalizing(slot.thread):
                slot.is_fired = True
                slot.due_at_s = now_s + _AGAIN_S
                _raise_in(slot.thread, ctypes.py_object(Overrun))

    def _sleep(self) -> None:
        self._wake.clear()
        self._is_awake = False
        if not self._slots:  # one that came in between has seen us asleep, and wakes us
            with contextlib.suppress(RuntimeError):
                self._wake.wait()
        self._is_awake = True


def _is_finalizing(thread: int) -> bool:
    """Tell whether a thread runs someone's finalizer, which would swallow the exception and stay undone.

    The thread waits for the interpreter's lock while we look, and meets the exception where it waits.
    """
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - documented, whatever its name
    told_by_gc = {getattr(told, "__code__", None) for told in gc.callbacks}
    while frame is not None and frame.f_code is not _RUN:
        code = frame.f_code
        if code.co_name in _FINALIZERS or code in told_by_gc or code.co_filename.endswith(_WEAK):
            return True
        frame = frame.f_back
    return False


_RUN = Watch.run.__code__
WATCH = Watch()
