"""Modbus application data units over TCP: the MBAP header, and requests and answers that read registers.

Source: MODBUS Messaging on TCP/IP Implementation Guide V1.0b clause 3.1; MODBUS Application Protocol V1.1b3
clauses 6.3, 6.4 and 7 (exception codes).
"""

from dataclasses import dataclass
from types import MappingProxyType

from pymodbus.pdu import DecodePDU, ReadHoldingRegistersRequest
from pymodbus.pdu.register_message import ReadInputRegistersRequest

from pipelines.amr.faults import BadFrame

HEADER = 7
FRAME_LIMIT = 260
MAX_WORDS = 125
BUSY = (0x05, 0x06)
TARGET_SILENT = 0x0B
_SHORTEST, _LONGEST = 2, 254
_EXCEPTION = 0x80
_REQUESTS = MappingProxyType({"holding": ReadHoldingRegistersRequest, "input": ReadInputRegistersRequest})
_EXCEPTIONS = MappingProxyType(
    {
        0x01: "illegal function",
        0x02: "illegal data address",
        0x03: "illegal data value",
        0x04: "device failure",
        0x05: "acknowledged, but not done yet",
        0x06: "device busy",
        0x08: "memory parity error",
        0x0A: "gateway path unavailable",
        0x0B: "gateway target device failed to respond",
    }
)
_DECODER = DecodePDU(is_server=False)


@dataclass(frozen=True, slots=True)
class Block:
    """Registers that one request reads: ``table`` is ``holding`` or ``input``, ``address`` counts from 0."""

    table: str
    address: int
    count: int

    @property
    def function(self) -> int:
        """The function code that reads this table."""
        return int(_REQUESTS[self.table].function_code)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a device says to a request: its words, or an exception code."""

    words: tuple[int, ...] = ()
    exception: int = 0

    @property
    def says(self) -> str:
        """The exception in words."""
        return _EXCEPTIONS.get(self.exception, f"exception {self.exception}")


def frame_length(buffer: bytearray) -> int | None:
    """Return where the first data unit ends, by the length field of its header.

    Raises
    ------
    BadFrame
        The protocol identifier is not 0, or the length is none that a data unit can have.
    """
    if len(buffer) < 4:
        return None
    if buffer[2] or buffer[3]:
        raise BadFrame(f"the protocol identifier is {buffer[2]:02X}{buffer[3]:02X}h and not 0")
    if len(buffer) < 6:
        return None
    length = buffer[4] << 8 | buffer[5]
    if not _SHORTEST <= length <= _LONGEST:
        raise BadFrame(f"a data unit cannot have {length} bytes behind its header")
    return 6 + length if len(buffer) >= 6 + length else None


def transaction_of(frame: bytes) -> int:
    """Return the transaction identifier of a whole frame."""
    return frame[0] << 8 | frame[1]


def read_request(transaction: int, unit: int, block: Block) -> bytes:
    """Return the request that reads a block of at most 125 words."""
    request = _REQUESTS[block.table](address=block.address, count=block.count, dev_id=unit)
    pdu = bytes([request.function_code]) + request.encode()
    return transaction.to_bytes(2, "big") + bytes([0, 0]) + (len(pdu) + 1).to_bytes(2, "big") + bytes([unit]) + pdu


def read_answer(frame: bytes, unit: int, block: Block) -> Answer:
    """Return the answer to ``read_request`` in a whole frame.

    Raises
    ------
    BadFrame
        It is of another unit or function, or has not exactly the words that were asked for.
    """
    if len(frame) < HEADER + 2 or frame[6] != unit:
        raise BadFrame("the answer is too short, or of another unit")
    pdu = frame[HEADER:]
    if pdu[0] == block.function | _EXCEPTION:
        return Answer(exception=pdu[1])
    if pdu[0] != block.function:
        raise BadFrame(f"function {pdu[0]:02X}h answers function {block.function:02X}h")
    if pdu[1] != 2 * block.count or len(pdu) != 2 + pdu[1]:
        raise BadFrame(f"{len(pdu) - 2} bytes (said: {pdu[1]}) came where {2 * block.count} were asked for")
    decoded = _DECODER.decode(pdu)
    if decoded is None or len(decoded.registers) != block.count:
        raise BadFrame("the answer holds no registers")
    return Answer(words=tuple(decoded.registers))
