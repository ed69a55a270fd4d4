"""Performs a driver's conversation from a written transcript: no socket, no clock, every byte in sight."""

from collections.abc import Iterable
from typing import Any

from pipelines.amr.contract import Conversation, Exchange, ReserveCounters, Step
from pipelines.amr.faults import LinkLost, MeterFault, NoAnswer

Line = tuple[str, bytes | MeterFault]


def play(conversation: Conversation, transcript: Iterable[Line], *, first_counter: int = 1) -> list[Step]:
    """Run a conversation against ``(">", sent)`` and ``("<", received)`` lines; return its other steps.

    ``("!", fault)`` in place of an answer raises the fault into the conversation. What the meter sends arrives in one
    buffer, from which the framer takes one frame a step, exactly as over a link. Every line must be used up.
    """
    lines = list(transcript)
    buffer = bytearray()
    steps: list[Step] = []
    counter = first_counter
    try:
        step = next(conversation)
        while True:
            result: Any = None
            fault: MeterFault | None = None
            if isinstance(step, Exchange):
                result, fault = _exchange(step, lines, buffer)
            else:
                steps.append(step)
                if isinstance(step, ReserveCounters):
                    result, counter = counter, counter + step.count
            step = conversation.throw(fault) if fault else conversation.send(result)
    except StopIteration:
        assert not lines, f"never happened: {lines}"
        return steps


def _exchange(step: Exchange, lines: list[Line], buffer: bytearray) -> tuple[bytes, MeterFault | None]:
    if step.request:
        assert lines, f"sent though the transcript is over: {step.request!r}"
        direction, expected = lines.pop(0)
        assert (direction, step.request) == (">", expected)
        buffer.clear()
    if step.framer is None:
        return b"", None
    while True:
        try:
            length = step.framer(buffer) if buffer else None
        except MeterFault as fault:
            return b"", fault
        if length is not None:
            frame = bytes(buffer[:length])
            del buffer[:length]
            return frame, None
        if not lines or lines[0][0] == ">":
            return b"", NoAnswer("the transcript says nothing more")
        direction, content = lines.pop(0)
        if isinstance(content, MeterFault):
            return b"", content
        if not content:
            return b"", LinkLost("the transcript ends the connection")
        buffer += content


def answer_from(conversation: Conversation, receive: Any) -> list[Step]:
    """Run a conversation against a responder's ``receive``; return its steps other than exchanges."""
    buffer = bytearray()
    steps: list[Step] = []
    counter = 1
    try:
        step = next(conversation)
        while True:
            result: Any = None
            fault: MeterFault | None = None
            if isinstance(step, Exchange):
                if step.request:
                    buffer.clear()
                    for frame in receive(step.request):
                        buffer += frame
                result = b""
                if step.framer is not None:
                    try:
                        length = step.framer(buffer) if buffer else None
                    except MeterFault as error:
                        fault, length = error, 0
                    if length is None:
                        fault = NoAnswer("the responder says nothing more")
                    else:
                        result = bytes(buffer[:length])
                        del buffer[:length]
            else:
                steps.append(step)
                if isinstance(step, ReserveCounters):
                    result, counter = counter, counter + step.count
            step = conversation.throw(fault) if fault else conversation.send(result)
    except StopIteration:
        return steps
