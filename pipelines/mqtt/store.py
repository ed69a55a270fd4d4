"""A batch of messages into the database: one transaction per client, every row stored, staged or quarantined."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from pipelines.db.bulk import MAX_SCALE
from pipelines.db.engine import unit_of_work
from pipelines.decimals import MAX_DIGITS, TOO_LONG
from pipelines.metering.batches import NamedReadings
from pipelines.metering.delivery import deliver
from pipelines.metering.writer import Authorship
from pipelines.mqtt import directory, quarantine
from pipelines.mqtt.messages import LARGEST_PAYLOAD, Fault, Message, Reading, Refusal
from pipelines.mqtt.payloads import parse

_LIMIT = 10**MAX_DIGITS
_REASON = "delivered over MQTT"

Refused = list[tuple[Message, list[Refusal]]]


@dataclass(kw_only=True)
class Counts:
    """What became of messages and their rows; ``refused`` counts quarantined rows by their code."""

    messages: int = 0
    readings: int = 0
    staged: int = 0
    quarantined: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Counts") -> None:
        """Take in the counts of another batch."""
        self.messages += other.messages
        self.readings += other.readings
        self.staged += other.staged
        self.quarantined += other.quarantined
        self.refused.update(other.refused)


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """The rows that have a place, and for each the message and the place in it that it came from."""

    batch: NamedReadings
    message: npt.NDArray[np.intp]
    index: list[int | None]


def store(engine: sa.Engine, messages: Sequence[Message], *, allow_unconfigured: bool, at: datetime) -> Counts:
    """Store messages so that each row is a reading, staged, or in quarantine when this returns.

    A repeated message changes nothing. Each client's messages are one transaction, in the order they came.
    """
    counts = Counts(messages=len(messages))
    clients: dict[str | None, list[Message]] = {}
    for message in messages:
        clients.setdefault(message.client_id, []).append(message)
    with unit_of_work(engine) as connection:
        known = directory.organizations(connection, [client for client in clients if client is not None])
        strangers = [m for client, sent in clients.items() if client not in known for m in sent]
        refused: Refused = [(message, [_stranger(message)]) for message in strangers]
        _count(counts, refused, quarantine.keep(connection, None, refused, at))
    for client, sent in clients.items():
        if client is not None and client in known:
            with unit_of_work(engine) as connection:
                authorship = Authorship(author=f"client:{client}", reason=_REASON, at=at)
                done = _store_client(
                    connection, known[client], sent, authorship, allow_unconfigured=allow_unconfigured
                )
            counts.add(done)
    return counts


def store_as_failed(engine: sa.Engine, message: Message, *, at: datetime) -> Counts:
    """Put a message into quarantine that no other way of storing could take."""
    refused: Refused = [(message, [Refusal(None, Fault.INTERNAL, "The message could not be processed.")])]
    counts = Counts(messages=1)
    with unit_of_work(engine) as connection:
        known = directory.organizations(connection, [message.client_id] if message.client_id else [])
        kept = quarantine.keep(connection, known.get(message.client_id or ""), refused, at)
    _count(counts, refused, kept)
    return counts


def _stranger(message: Message) -> Refusal:
    if message.client_id is None:
        return Refusal(None, Fault.BAD_TOPIC, "Expected the topic v1/{client_id}/readings.")
    return Refusal(None, Fault.UNKNOWN_CLIENT, "No API client in force has the id that the topic names.")


def _count(counts: Counts, refused: Refused, kept: int) -> None:
    counts.quarantined += kept
    for _, refusals in refused:
        counts.refused.update(str(refusal.code) for refusal in quarantine.condensed(refusals))


def _store_client(
    connection: sa.Connection,
    organization: UUID,
    messages: Sequence[Message],
    authorship: Authorship,
    *,
    allow_unconfigured: bool,
) -> Counts:
    counts = Counts()
    readings: list[tuple[int, Reading]] = []
    refusals: list[list[Refusal]] = []
    for number, message in enumerate(messages):
        found, faults = _parsed(message)
        readings += [(number, reading) for reading in found]
        refusals.append(faults)
    columns = _columns(connection, organization, readings, refusals, allow_unconfigured=allow_unconfigured)
    for turn in _turns(columns):
        batch = columns.batch
        part = NamedReadings(
            pairs=batch.pairs,
            pair=batch.pair[turn],
            times_us=batch.times_us[turn],
            mantissa=batch.mantissa[turn],
            scale=batch.scale[turn],
        )
        done = deliver(connection, organization, part, authorship, allow_unconfigured=allow_unconfigured)
        counts.readings += done.accepted
        counts.staged += done.staged
        for rejection in done.rejected:
            row = int(turn[rejection.index])
            refusal = Refusal(columns.index[row], rejection.code, rejection.detail)
            refusals[columns.message[row]].append(refusal)
    refused = [(message, faults) for message, faults in zip(messages, refusals, strict=True) if faults]
    _count(counts, refused, quarantine.keep(connection, organization, refused, authorship.at))
    return counts


def _parsed(message: Message) -> tuple[list[Reading], list[Refusal]]:
    if message.size_bytes > LARGEST_PAYLOAD:
        return [], [Refusal(None, Fault.TOO_LARGE, f"A message holds at most {LARGEST_PAYLOAD} bytes.")]
    return parse(message.payload)


def _columns(
    connection: sa.Connection,
    organization: UUID,
    readings: Sequence[tuple[int, Reading]],
    refusals: list[list[Refusal]],
    *,
    allow_unconfigured: bool,
) -> _Columns:
    """Give every reading its place and unit; what has none is added to the ``refusals`` of its message."""
    wanted: dict[tuple[directory.Device, directory.Target], int] = {}
    numbers = [wanted.setdefault((r.device, r.target), len(wanted)) for _, r in readings]
    found = (
        directory.places(connection, organization, list(wanted), allow_unconfigured=allow_unconfigured)
        if wanted
        else []
    )
    pairs: dict[tuple[str, str], int] = {}
    rows: list[tuple[int, int | None, int, int, int, int]] = []
    for (number, reading), place_number in zip(readings, numbers, strict=True):
        place = found[place_number]
        if isinstance(place, directory.Obstacle):
            refusals[number].append(Refusal(reading.row, place.code, place.detail))
            continue
        value = _converted(reading, place)
        if value is None:
            refusals[number].append(Refusal(reading.row, Fault.INVALID, f"{place.series}: {TOO_LONG}"))
            continue
        pair = pairs.setdefault((place.meter, place.series), len(pairs))
        rows.append((number, reading.row, pair, reading.times_us, *value))
    return _Columns(
        batch=NamedReadings(
            pairs=list(pairs),
            pair=np.array([row[2] for row in rows], dtype=np.int32),
            times_us=np.array([row[3] for row in rows], dtype=np.int64),
            mantissa=np.array([row[4] for row in rows], dtype=np.int64),
            scale=np.array([row[5] for row in rows], dtype=np.int16),
        ),
        message=np.array([row[0] for row in rows], dtype=np.intp),
        index=[row[1] for row in rows],
    )


def _converted(reading: Reading, place: directory.Place) -> tuple[int, int] | None:
    """Return (mantissa, scale) in the unit of the place, exact; None where the platform cannot keep it."""
    mantissa, scale = reading.mantissa * place.factor, reading.scale + place.shift
    while scale > MAX_SCALE and mantissa % 10 == 0:
        mantissa, scale = mantissa // 10, scale - 1
    return (mantissa, scale) if scale <= MAX_SCALE and abs(mantissa) < _LIMIT else None


def _turns(columns: _Columns) -> list[npt.NDArray[np.intp]]:
    """Part the rows into deliveries, so that a message that corrects an earlier one of the batch is a correction.

    Within a message a contradiction stays what it is: a rejected row.
    """
    batch, count = columns.batch, len(columns.message)
    if not count:
        return []
    order = np.lexsort((np.arange(count), batch.times_us, batch.pair))
    before, after = order[:-1], order[1:]
    same = (batch.pair[before] == batch.pair[after]) & (batch.times_us[before] == batch.times_us[after])
    if not same.any():
        return [np.arange(count)]
    corrects = same & (columns.message[before] != columns.message[after])
    corrects &= (batch.mantissa[before] != batch.mantissa[after]) | (batch.scale[before] != batch.scale[after])
    steps = np.concatenate([[0], np.cumsum(corrects)])
    starts = np.concatenate([[True], ~same])
    turn = np.empty(count, dtype=np.intp)
    turn[order] = steps - np.maximum.accumulate(np.where(starts, steps, 0))
    return [np.flatnonzero(turn == number) for number in range(int(turn.max()) + 1)]
