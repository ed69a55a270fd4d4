"""The subscriber: gather, store, acknowledge, in this order and for ever.

A message is acknowledged after the commit that stored it, so whatever dies in between, the broker sends it again;
storing it again changes nothing.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa
from psycopg import DataError, IntegrityError, InterfaceError, OperationalError
from psycopg import Error as DatabaseError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from pipelines import clock
from pipelines.errors import SourceUnavailable
from pipelines.mqtt.inbox import Inbox
from pipelines.mqtt.link import Link
from pipelines.mqtt.messages import Message
from pipelines.mqtt.options import MqttSettings
from pipelines.mqtt.store import Counts, store, store_as_failed

_log = logging.getLogger("wattloom.mqtt")
_SUMMARY_S = 60.0
_TICK_S, _STORE_TICK_S = 0.1, 0.002
# A broker that has sent all it may without an acknowledgement goes quiet; after this share of the linger we
# take a pause for that.
_QUIET_SHARE = 0.2
_ANSWER_S = 20.0
_STABLE_S = 30.0  # a link that lived so long was no quarrel over a client id
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0


class Pause:
    """How long to wait before the next try: twice as long each time, up to 30 s, with jitter."""

    def __init__(self) -> None:
        self._next_s = _FIRST_PAUSE_S

    def next_s(self) -> float:
        """Return the next pause [s]."""
        pause = self._next_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, protects nothing
        self._next_s = min(2 * self._next_s, _LONGEST_PAUSE_S)
        return pause


class Subscriber:
    """Takes messages from a broker into a database until it is told to stop."""

    def __init__(self, engine: sa.Engine, options: MqttSettings, *, allow_unconfigured: bool = False) -> None:
        self.counts = Counts()
        self._engine = engine
        self._options = options
        self._tls = options.tls_context()
        self._allow_unconfigured = allow_unconfigured
        self._inbox = Inbox(options.batch_size)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="mqtt-store")
        self._stopping = threading.Event()
        self._link: Link | None = None
        self._minute = Counts()
        self._summary_at = time.monotonic() + _SUMMARY_S

    @property
    def is_subscribed(self) -> bool:
        """Tell whether the broker has confirmed the subscription of the present link."""
        return self._link is not None and self._link.is_subscribed

    def stop(self) -> None:
        """Have ``run`` finish the batch at hand and return; may be called from a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Receive until ``stop``; a lost broker or database is waited for.

        Raises
        ------
        WattloomError
            The broker refuses us for good: wrong credentials, certificate, subscription or client id.
        """
        pause = Pause()
        try:
            while not self._stopping.is_set():
                try:
                    if self._connect():
                        begun = time.monotonic()
                        self._receive()
                        if time.monotonic() - begun >= _STABLE_S:
                            pause = Pause()
                except SourceUnavailable as error:
                    _log.warning("%s", error)
                if not self._stopping.is_set():
                    self._stopping.wait(pause.next_s())
        finally:
            if self._link is not None:
                self._link.close()
            self._worker.shutdown()
            self._summarize()

    def _connect(self) -> bool:
        """Open a link and wait for its subscription."""
        if self._link is not None:
            self._link.close(wait_s=0)
        self._link = Link(self._options, self._tls, self._inbox.put)
        self._link.open()
        deadline = time.monotonic() + _ANSWER_S
        while not self._link.is_subscribed:
            if self._stopping.is_set():
                return False
            if not self._link.pump(_TICK_S, self._inbox.has_room):
                raise SourceUnavailable(f"the MQTT broker hung up: {self._link.last_words}")
            if time.monotonic() > deadline:
                raise SourceUnavailable("the MQTT broker does not answer")
        return True

    def _receive(self) -> None:
        """Take batches until the link is lost or we are told to stop; what was gathered is stored in any case."""
        alive = True
        while alive and not self._stopping.is_set():
            alive = self._gather()
            if len(self._inbox):
                self._settle(self._inbox.take())
            self._summarize_in_time()
        while len(self._inbox) and self._settle(self._inbox.take()):
            pass
        if not alive and self._link is not None:
            _log.warning(
                "the link to the MQTT broker is lost: %s (if this repeats: does another subscriber use the client"
                " id %r?)",
                self._link.last_words,
                self._options.client_id,
            )

    def _gather(self) -> bool:
        """Wait for a batch: until it is full, has lingered, or the broker has gone quiet; False without a link."""
        link, inbox = self._link, self._inbox
        if link is None:
            return False
        alive = True
        if not len(inbox):
            alive = link.pump(_TICK_S, inbox.has_room)
        linger_s = self._options.linger_ms / 1000
        deadline = time.monotonic() + linger_s
        while alive and len(inbox) and inbox.has_room() and not self._stopping.is_set():
            known, left_s = len(inbox), deadline - time.monotonic()
            if left_s <= 0:
                break
            alive = link.pump(min(linger_s * _QUIET_SHARE, left_s), inbox.has_room)
            if len(inbox) == known:
                break
        return alive

    def _settle(self, batch: Sequence[Message]) -> bool:
        """Store a batch, however long the database is away, then acknowledge it; False when stopped before that."""
        pause = Pause()
        while True:
            try:
                self._store_meanwhile(batch)
                break
            except (SourceUnavailable, SQLAlchemyError, DatabaseError) as error:
                _log.warning("a batch of %d messages waits for the database: %s", len(batch), _reason(error))
            if self._stopping.is_set():
                _log.warning("stopped: the broker keeps these messages, except those of QoS 0")
                return False
            batch = [message._replace(is_repeated=True) for message in batch]  # a part of it may be stored
            until = time.monotonic() + pause.next_s()
            self._breathe(lambda: time.monotonic() >= until or self._stopping.is_set(), _TICK_S)  # noqa: B023
        if self._link is not None:
            self._link.acknowledge(batch)
        return True

    def _store_meanwhile(self, batch: Sequence[Message]) -> None:
        """Store a batch in another thread, and let the next one arrive while the database works."""
        stored = self._worker.submit(self._store, batch)
        self._breathe(stored.done, _STORE_TICK_S)
        stored.result()

    def _breathe(self, is_over: Callable[[], bool], tick_s: float) -> None:
        """Until something is over, answer the broker's pings and take in what there is room for."""
        alive = True
        while not is_over():
            if alive and self._link is not None and self._inbox.has_room():
                alive = self._link.pump(tick_s, self._inbox.has_room)
            else:
                time.sleep(tick_s)

    def _store(self, batch: Sequence[Message]) -> None:
        """Store a batch; a message that the database or our code chokes on is found by halving and quarantined."""
        at = clock.now()
        try:
            counts = store(self._engine, batch, allow_unconfigured=self._allow_unconfigured, at=at)
        except Exception as error:
            if _is_passing(error):
                raise
            if len(batch) > 1:
                again = [message._replace(is_repeated=True) for message in batch]
                self._store(again[: len(again) // 2])
                self._store(again[len(again) // 2 :])
                return
            _log.error("a message could not be processed: %s", _reason(error))
            counts = store_as_failed(self._engine, batch[0], at=at)
        self.counts.add(counts)
        self._minute.add(counts)

    def _summarize_in_time(self) -> None:
        if time.monotonic() >= self._summary_at:
            self._summarize()

    def _summarize(self) -> None:
        done, self._minute = self._minute, Counts()
        self._summary_at = time.monotonic() + _SUMMARY_S
        if done.messages:
            refused = ", ".join(f"{code} {number}" for code, number in sorted(done.refused.items()))
            _log.info(
                "%d messages: %d readings, %d staged, %d quarantined%s",
                done.messages,
                done.readings,
                done.staged,
                done.quarantined,
                f" ({refused})" if refused else "",
            )


def _is_passing(error: Exception) -> bool:
    """Tell whether the same batch may succeed later: nothing but its content speaks against it otherwise."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, DataError | IntegrityError):
        return False
    return isinstance(cause, SourceUnavailable | SQLAlchemyError | DatabaseError)


def _reason(error: Exception) -> str:
    """Return what may be logged of an error: its kind, never a value."""
    if isinstance(error, SourceUnavailable):
        return str(error)
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(cause, OperationalError | InterfaceError):
        return str(cause).strip().partition("\n")[0]
    return type(cause).__name__
