"""JSON as blocks of rows: ``{"data": [...]}``, a list, or one object; each row brings the columns it names."""

import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from pipelines.registry import custom
from pipelines.registry.blocks import ROWS, Block, canonical, is_ours, shape_of
from pipelines.registry.contents import Content
from pipelines.registry.dictionary import Table
from pipelines.registry.pseudonyms import Hasher
from pipelines.registry.verdicts import Code, RefusedFile, Verdict

LARGEST = 256 << 20
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_BEYOND_REASON = Decimal("NaN")
_DEEP = "The JSON is nested too deeply."


def read_rows(content: Content) -> list[Any]:
    """Return the rows of a JSON text, fractions with every digit.

    Raises
    ------
    RefusedFile
        It is no JSON, or neither a list nor an object.
    """
    data = content.whole(LARGEST).removeprefix(b"\xef\xbb\xbf")
    try:
        found = _DECODER.decode(data)
    except RecursionError:
        raise RefusedFile("unreadable", _DEEP) from None
    except (msgspec.DecodeError, UnicodeError, ArithmeticError):
        found = _read_forgivingly(data)
    if isinstance(found, dict) and "data" in found and isinstance(found["data"], list | dict):
        found = found["data"]
    if isinstance(found, dict):
        return [found]
    if not isinstance(found, list):
        raise RefusedFile("unreadable", 'Rows are expected as {"data": [...]}, a list, or one object.')
    return found


def _read_forgivingly(data: bytes) -> Any:
    """Read what one value may be wrong with (NaN, 1e400, lone surrogates), so that the verdict names its row."""
    try:
        return json.loads(data.decode(), parse_float=_decimal, parse_int=_whole, parse_constant=Decimal)
    except RecursionError:
        raise RefusedFile("unreadable", _DEEP) from None
    except UnicodeDecodeError:
        raise RefusedFile("unreadable", "The JSON is not in UTF-8.") from None
    except json.JSONDecodeError as error:
        raise RefusedFile("unreadable", f"This is no JSON: {error.msg} at character {error.pos}.") from None


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return _BEYOND_REASON


def _whole(text: str) -> int | Decimal:
    try:
        return int(text)
    except ValueError:
        return _BEYOND_REASON


def blocks(table: Table, rows: list[Any], hasher: Hasher) -> Iterator[Block]:
    """Return the rows as blocks; a row that is no object, or whose values cannot be read, is a fault."""
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        block = Block(to=start + len(part), bytes_read=start + len(part))
        texts: list[dict[str, str | None]] = []
        for number, row in enumerate(part, start + 1):
            values, further, faults = _row(table, number, row, hasher)
            if faults:
                block.faults += faults
                continue
            mask = sum(table.bit[name] for name in values)
            texts.append(values)
            block.rows.append(number)
            block.sent.append(mask)
            block.custom.append(msgspec.json.encode(further).decode() if further else None)
            block.shapes.append(shape_of(mask, list(further)))
        brought = {name for values in texts for name in values}
        required = {c.name for c in table.sent if c.required}
        block.texts = {
            c.name: [values.get(c.name) for values in texts] for c in table.sent if c.name in brought | required
        }
        yield block


def _row(
    table: Table, number: int, row: Any, hasher: Hasher
) -> tuple[dict[str, str | None], dict[str, Any], list[Verdict]]:
    if not isinstance(row, dict):
        return {}, {}, [Verdict(number, "", Code.NOT_A_ROW)]
    values: dict[str, str | None] = {}
    further: dict[str, Any] = {}
    faults: list[Verdict] = []
    for key, value in row.items():
        name = canonical(key)
        if name in table.bit:
            if name in values:
                faults.append(Verdict(number, name, Code.TWICE))
            elif isinstance(value, dict | list):
                faults.append(Verdict(number, name, Code.NESTED))
            else:
                try:
                    values[name] = _text(value)
                except ValueError:
                    faults.append(Verdict(number, name, Code.TEXT))
        elif not is_ours(table, name):
            further[key.strip()] = value
    try:
        kept = {name: custom.guarded(name, value, hasher) for name, value in further.items()}
        too_long = bool(kept) and (
            max(map(len, kept)) > custom.LONGEST_NAME or len(msgspec.json.encode(kept)) > custom.LONGEST
        )
    except (ValueError, OverflowError):
        too_long, kept = True, {}
    if too_long or any("\0" in name for name in kept):
        faults.append(Verdict(number, "", Code.CUSTOM))
    return values, kept, faults


def _text(value: Any) -> str | None:
    """Return a value as a file would write it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    text.encode()  # a lone surrogate is a UnicodeEncodeError, which is a ValueError
    return text
