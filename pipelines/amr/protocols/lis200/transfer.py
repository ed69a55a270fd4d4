"""How an archive comes over the line: partial blocks, repeats, and what to do when some are missing."""

from collections.abc import Callable
from datetime import datetime

from pipelines.amr.contract import Conversation, Exchange, Found
from pipelines.amr.datalink import ACK, NAK, REPEATS, Message, message_framer, parse
from pipelines.amr.faults import BadFrame, MeterFault, NoAnswer, Refused
from pipelines.amr.protocols.lis200.errors import NOTHING_THERE, error_number, raise_for
from pipelines.amr.protocols.lis200.rows import ArchiveRows, Block, MissingRows


def read_blocks(
    archive: str,
    rows: ArchiveRows,
    request_from: Callable[[datetime], bytes],
    start: datetime,
    last_answer: str,
) -> Conversation:
    """Take block after block; each is asked for again three times, then the fault goes up.

    Blocks have no numbers, so the rows decide: a block without a new row is a repeat and is passed over, and where
    rows are missing the archive is read again from the last known one. ``last_answer`` is not mistaken for a block.
    """
    sending = request_from(start)
    failure: MeterFault
    trouble = 0
    while True:
        try:
            message = parse((yield Exchange(sending, message_framer)))
            block = None if message.text and message.text == last_answer else _block(archive, message, rows)
        except MissingRows as fault:
            failure = fault
            rows.resume()
            sending = request_from(rows.newest or start)
        except (BadFrame, NoAnswer) as fault:
            failure = fault
            sending = NAK if rows.newest or isinstance(fault, BadFrame) else request_from(start)
        else:
            if block is None:
                failure, sending = _passed_over(archive, message, sending, request_from(rows.newest or start))
            else:
                if block.newest is not None:
                    trouble = -1
                    yield Found(block.readings, (start, block.newest))
                if message.is_last:
                    return
                failure, sending = BadFrame(f"{archive}: nothing but empty blocks"), ACK
        trouble += 1
        if trouble > REPEATS:
            raise failure


def _block(archive: str, message: Message, rows: ArchiveRows) -> Block | None:
    """Return what is new in a message, None where it is not an answer to this read."""
    said = message.text.partition("(")[0].strip()
    if message.head not in {"", "B0"} or (said and ":V." not in said):
        return None
    if error_number(message.text) in NOTHING_THERE and rows.newest is None:
        return Block([], None)
    raise_for(message, archive)
    return rows.take(message.text)


def _passed_over(archive: str, message: Message, sent: bytes, request: bytes) -> tuple[MeterFault, bytes]:
    """Return the fault that a message without news is in the end, and what to send for now."""
    if message.head == "NAK":
        return Refused(f"{archive}: the device does not take the request (NAK)"), request if sent == NAK else sent
    # A repeat that we asked for means that our ACK was lost; any other is an echo of the past.
    asked_for = sent == NAK and not message.head
    return BadFrame(f"{archive}: nothing but repeated blocks"), ACK if asked_for else b""
