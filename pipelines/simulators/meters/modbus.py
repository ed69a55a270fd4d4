"""A simulated Modbus device over TCP: a maker's register map, filled from an archive.

It reads the model file as one reads a device's manual and encodes on its own.

Source: MODBUS Application Protocol V1.1b3; MODBUS Messaging on TCP/IP Implementation Guide V1.0b.
"""

import struct
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from importlib.resources import files
from itertools import pairwise
from typing import Any

from pipelines.simulators.meters.archive import MeterArchive, meter_now
from pipelines.simulators.meters.responder import Faults

_FUNCTIONS = {3: "holding", 4: "input"}
_ILLEGAL_FUNCTION, _ILLEGAL_ADDRESS, _ILLEGAL_VALUE, _NO_TARGET = 1, 2, 3, 0x0B
_INTEGER_WORDS = {"16": 1, "32": 2, "64": 4}
_FLOATS = {"f32": ">f", "f64": ">d"}
_BCD_WORDS = {"bcd16": 1, "bcd32": 2, "bcd64": 4}
_VOLTAGES = ("1-0:32.7.0", "1-0:52.7.0", "1-0:72.7.0")
_CURRENTS = ("1-0:31.7.0", "1-0:51.7.0", "1-0:71.7.0")
_MOST_BYTES = 4096


class ModbusMeter:
    """A device with the registers of a model: energy and power of the archive, 230 V, 50 Hz, the rest zero.

    Parameters
    ----------
    model : str
        Name of a model file of the protocol.
    unit : int
        Requests to another unit get the gateway's "target failed to respond".
    refused : frozenset of int
        Addresses that the device says it does not have.
    """

    def __init__(
        self,
        archive: MeterArchive,
        faults: Faults,
        *,
        model: str = "eastron_sdm630",
        unit: int = 1,
        refused: frozenset[int] = frozenset(),
    ) -> None:
        self._archive = archive
        self._faults = faults
        self._unit = unit
        self._refused = refused
        self._pending = b""
        # Of the package's folder and not of the driver's module: nothing of the driver is imported.
        folder = files("pipelines.amr") / "protocols" / "modbus" / "models"
        self._manual = tomllib.loads((folder / f"{model}.toml").read_text(encoding="utf-8"))
        self.requests: list[tuple[int, int, int]] = []

    def receive(self, data: bytes) -> list[bytes]:
        """Take a segment; return the answers to the whole requests in it."""
        self._pending = (self._pending + data)[-_MOST_BYTES:]
        answers = []
        while len(self._pending) >= 8:
            transaction, protocol, length = struct.unpack(">HHH", self._pending[:6])
            if protocol != 0 or not 2 <= length <= 254:
                self._pending = b""
                break
            if len(self._pending) < 6 + length:
                break
            unit, pdu = self._pending[6], self._pending[7 : 6 + length]
            self._pending = self._pending[6 + length :]
            reply = self._reply(pdu) if unit == self._unit else bytes([pdu[0] | 0x80, _NO_TARGET])
            answers.append(struct.pack(">HHHB", transaction, 0, len(reply) + 1, unit) + reply)
        return answers

    def _reply(self, pdu: bytes) -> bytes:
        function = pdu[0]
        if function not in _FUNCTIONS:
            return bytes([function | 0x80, _ILLEGAL_FUNCTION])
        if len(pdu) != 5:
            return bytes([function | 0x80, _ILLEGAL_VALUE])
        address, count = struct.unpack(">HH", pdu[1:])
        self.requests.append((function, address, count))
        if not 1 <= count <= self._manual.get("max_words", 125):
            return bytes([function | 0x80, _ILLEGAL_VALUE])
        cells = self._cells(_FUNCTIONS[function])
        wanted = range(address, address + count)
        if self._refused & set(wanted) or not self._is_readable(cells, wanted):
            return bytes([function | 0x80, _ILLEGAL_ADDRESS])
        return bytes([function, 2 * count]) + struct.pack(f">{count}H", *(cells.get(place, 0) for place in wanted))

    def _is_readable(self, cells: Mapping[int, int], wanted: range) -> bool:
        """Tell whether a block starts and ends on registers and jumps no farther than the manual allows."""
        known = [place for place in wanted if place in cells]
        if not known or known[0] != wanted[0] or known[-1] != wanted[-1]:
            return False
        gap = self._manual.get("max_gap", 0)
        return all(after - before - 1 <= gap for before, after in pairwise(known))

    def _cells(self, table: str) -> dict[int, int]:
        """Return the words of a table by address, as they are now."""
        cells: dict[int, int] = {}
        for row in self._manual["registers"]:
            if row.get("table", self._manual.get("table")) != table:
                continue
            words = _words(row, self._quantity(row["series"], row.get("unit", "")))
            if row.get("word_order", self._manual.get("word_order", "big")) == "little":
                words.reverse()
            cells.update({row["address"] + place: word for place, word in enumerate(words)})
        return cells

    def _quantity(self, series: str, unit: str) -> Decimal:
        """Return what a series shows now, in the unit of its register."""
        now = meter_now(self._faults)
        thousand = Decimal(1000) if unit.startswith("k") else Decimal(1)
        power = self._archive.power_w(now)
        if series == "1-0:1.8.0":
            return self._archive.register_at(now) / thousand
        if series in ("1-0:1.7.0", "1-0:16.7.0"):
            return power / thousand
        if series in _VOLTAGES:
            return Decimal(230)
        if series in _CURRENTS:
            return (Decimal(power) / 690).quantize(Decimal("0.001"))
        return Decimal(50) if series == "1-0:14.7.0" else Decimal(0)


def _words(row: Mapping[str, Any], quantity: Decimal) -> list[int]:
    """Return a quantity as the words of a register, most significant first."""
    kind = row["type"]
    raw = quantity / Decimal(row.get("scaler", "1"))
    if kind in _FLOATS:
        data = struct.pack(_FLOATS[kind], float(raw))
    elif kind in _BCD_WORDS:
        data = bytes.fromhex(str(int(raw)).zfill(4 * _BCD_WORDS[kind]))
    else:
        data = int(raw).to_bytes(2 * _INTEGER_WORDS[kind[1:]], "big", signed=kind[0] == "s")
    return list(struct.unpack(f">{len(data) // 2}H", data))
