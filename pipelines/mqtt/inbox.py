"""Messages that wait for their transaction: bounded in number and bytes, taken out in batches."""

from collections import deque

from pipelines.mqtt.messages import Message

BATCH_BYTES = 4 * 1024 * 1024
_OVERHEAD_BYTES = 256


def _weight(message: Message) -> int:
    return len(message.payload) + _OVERHEAD_BYTES


class Inbox:
    """A queue that says when a batch is complete; then nothing more should be read until it is taken.

    A message is never refused; the reader asks ``has_room`` first, so at most one message goes beyond.
    """

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._messages: deque[Message] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: Message) -> None:
        """Add a message at the end."""
        self._messages.append(message)
        self._bytes += _weight(message)

    def has_room(self) -> bool:
        """Tell whether the present batch is still to be added to."""
        return len(self._messages) < self._batch_size and self._bytes < BATCH_BYTES

    def take(self) -> list[Message]:
        """Remove and return the next batch, in order of arrival."""
        batch: list[Message] = []
        taken = 0
        while self._messages and len(batch) < self._batch_size and taken < BATCH_BYTES:
            batch.append(self._messages.popleft())
            taken += _weight(batch[-1])
        self._bytes -= taken
        return batch
