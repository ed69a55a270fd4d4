"""NumPy arrays into PostgreSQL and back in binary form, without a Python object per row.

A row of the binary COPY format is a field count and, per field, a length and the value in network byte order
(PostgreSQL documentation, COPY, "Binary Format"). With fields of fixed width a whole batch is one structured
array, so encoding and decoding cost a memory copy. ``numeric`` has variable width; it is sent with a fixed
number of base-10000 digits, leading and trailing zeros included, which the server strips on receipt. Arrays of one
length are of fixed width too, and so are texts of one length; documents are made so by blanks at their end. Only
texts and arrays whose length differs from row to row are put together row by row.
"""

import itertools
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql

from pipelines.errors import BrokenContract

Array = npt.NDArray[Any]


class Ragged(NamedTuple):
    """Arrays whose length differs from row to row: row `i` has `values[offsets[i]:offsets[i + 1]]`."""

    values: Array
    offsets: npt.NDArray[np.int64]


Column = Array | tuple[Array, Array] | Ragged | str | list[str] | list[bytes]

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_EPOCH_US = 946_684_800_000_000  # 2000-01-01T00:00:00Z, PostgreSQL's epoch, in Unix microseconds
_EPOCH_DAYS = 10_957  # the same day in days since 1970-01-01
_ROWS_PER_BLOCK = 65_536

_INTEGER_DIGITS = 5  # base-10000 digits left of the point: 20 decimal digits, an int64 has 19
_FRACTION_DIGITS = 3  # and right of it: 12 decimals
MAX_SCALE = 4 * _FRACTION_DIGITS
_NUMERIC = np.dtype(
    [
        ("ndigits", ">i2"),
        ("weight", ">i2"),
        ("sign", ">u2"),
        ("dscale", ">i2"),
        ("digits", ">i2", (_INTEGER_DIGITS + _FRACTION_DIGITS,)),
    ]
)
_FIXED: Mapping[str, np.dtype[Any]] = {
    "int2": np.dtype(">i2"),
    "int4": np.dtype(">i4"),
    "int8": np.dtype(">i8"),
    "float4": np.dtype(">f4"),
    "timestamptz": np.dtype(">i8"),
    "date": np.dtype(">i4"),
    "numeric": _NUMERIC,
    "bool": np.dtype("u1"),
}
_ELEMENTS: Mapping[str, tuple[int, np.dtype[Any]]] = {
    "bool[]": (16, np.dtype("u1")),
    "int2[]": (21, np.dtype(">i2")),
    "int4[]": (23, np.dtype(">i4")),
    "int8[]": (20, np.dtype(">i8")),
    "float4[]": (700, np.dtype(">f4")),
}
"""Object id and form of the elements of an array (pg_type.dat, the same on every server)."""
_VARYING_OID = 1043

_SEND = {
    "int2": "int2send",
    "int4": "int4send",
    "int8": "int8send",
    "float4": "float4send",
    "timestamptz": "timestamptz_send",
    "date": "date_send",
}
_NO_LIMIT = 2**63 - 1


def _array_dtype(kind: str, size: int) -> np.dtype[Any]:
    element = np.dtype([("length", ">i4"), ("value", _ELEMENTS[kind][1])])
    head = [(name, ">i4") for name in ("dimensions", "has_nulls", "oid", "size", "first")]
    return np.dtype([*head, ("elements", element, (size,))])


def _fill_array(target: Array, kind: str, values: Array) -> None:
    oid, form = _ELEMENTS[kind]
    target["dimensions"], target["oid"], target["size"], target["first"] = 1, oid, values.shape[1], 1
    target["elements"]["length"] = form.itemsize
    target["elements"]["value"] = values


def _form_of(kind: str, column: Column) -> np.dtype[Any]:
    """Return the wire form of a column of fixed width."""
    if isinstance(column, str):
        return np.dtype(f"V{len(_text(kind, column))}")
    if isinstance(column, np.ndarray) and column.ndim == 2:
        return _array_dtype(kind, column.shape[1]) if kind in _ELEMENTS else np.dtype((np.uint8, column.shape[1:]))
    return _FIXED[kind]


def _text(kind: str, text: str | bytes) -> bytes:
    """Return a text on the wire; ``varchar[]`` has its words between commas, ``jsonb`` its version before it."""
    data = text.encode() if isinstance(text, str) else text
    if kind == "jsonb":
        return b"\x01" + data
    if kind == "varchar[]":
        words = data.split(b",")
        head = struct.pack(">iiiii", 1, 0, _VARYING_OID, len(words), 1)
        return head + b"".join(struct.pack(">i", len(word)) + word for word in words)
    return data


def _fill_numeric(target: Array, mantissa: Array, scale: Array) -> None:
    power = np.power(np.int64(10), scale.astype(np.int64))
    magnitude = np.abs(mantissa)
    whole, fraction = np.divmod(magnitude, power)
    fraction = fraction * np.power(np.int64(10), MAX_SCALE - scale.astype(np.int64))
    target["ndigits"] = _INTEGER_DIGITS + _FRACTION_DIGITS
    target["weight"] = _INTEGER_DIGITS - 1
    target["sign"] = np.where(mantissa < 0, 0x4000, 0)
    target["dscale"] = scale
    for position in range(_INTEGER_DIGITS - 1, -1, -1):
        whole, target["digits"][:, position] = np.divmod(whole, 10_000)
    for position in range(_INTEGER_DIGITS + _FRACTION_DIGITS - 1, _INTEGER_DIGITS - 1, -1):
        fraction, target["digits"][:, position] = np.divmod(fraction, 10_000)


def _settled(kind: str, column: Column) -> Column:
    """Return a list of texts of one length as their bytes [n, k]; blanks make documents so."""
    if not isinstance(column, list):
        return column
    texts = [_text(kind, text) for text in column]
    longest = max(map(len, texts), default=0)
    if kind == "jsonb":
        texts = [text.ljust(longest) for text in texts]
    elif any(len(text) != longest for text in texts):
        return texts
    return np.frombuffer(b"".join(texts), dtype=np.uint8).reshape(len(texts), longest)


def _ragged_rows(kind: str, column: Ragged, first: int, last: int) -> list[bytes]:
    """Return the fields of rows whose arrays differ in length."""
    oid, form = _ELEMENTS[kind]
    elements = np.empty(column.values.size, dtype=[("length", ">i4"), ("value", form)])
    elements["length"] = form.itemsize
    elements["value"] = column.values
    data, width = elements.tobytes(), elements.itemsize
    heads: dict[int, bytes] = {}
    rows = []
    cuts = column.offsets[first : last + 1].tolist()
    for start, end in itertools.pairwise(cuts):
        count = end - start
        if count not in heads:
            bounds = (count, 1) if count else ()
            head = struct.pack(f">{3 + len(bounds)}i", len(bounds) // 2, 0, oid, *bounds)
            heads[count] = struct.pack(">i", len(head) + count * width) + head
        rows.append(heads[count] + data[start * width : end * width])
    return rows


def _encode(columns: Sequence[Column], kinds: Sequence[str], first: int, last: int) -> bytes:
    """Return rows in binary form: runs of columns of fixed width, with varying texts and arrays between them."""
    pieces: list[Array | list[bytes]] = []
    run: list[tuple[str, Column]] = []
    for kind, column in zip(kinds, columns, strict=True):
        if isinstance(column, (list, Ragged)):
            if run or not pieces:
                pieces.append(_encode_run(run, first, last, count=None if pieces else len(kinds)))
            if isinstance(column, Ragged):
                pieces.append(_ragged_rows(kind, column, first, last))
            else:
                pieces.append([struct.pack(">i", len(text)) + _text("", text) for text in column[first:last]])
            run = []
        else:
            run.append((kind, column))
    if not pieces:
        return _encode_run(run, first, last, count=len(kinds)).tobytes()
    if run:
        pieces.append(_encode_run(run, first, last, count=None))
    as_bytes = [_rows_of(piece) if isinstance(piece, np.ndarray) else piece for piece in pieces]
    return b"".join(itertools.chain.from_iterable(zip(*as_bytes, strict=True)))


def _rows_of(rows: Array) -> list[bytes]:
    data, width = rows.tobytes(), rows.itemsize
    return [data[at : at + width] for at in range(0, len(data), width)]


def _encode_run(columns: Sequence[tuple[str, Column]], first: int, last: int, *, count: int | None) -> Array:
    forms = [_form_of(kind, column) for kind, column in columns]
    fields: list[Any] = [] if count is None else [("count", ">i2")]
    for index, form in enumerate(forms):
        fields += [(f"length{index}", ">i4"), (f"value{index}", form)]
    rows = np.zeros(last - first, dtype=np.dtype(fields))
    if count is not None:
        rows["count"] = count
    for index, ((kind, column), form) in enumerate(zip(columns, forms, strict=True)):
        rows[f"length{index}"] = form.itemsize
        target = rows[f"value{index}"]
        if isinstance(column, str):
            target[:] = np.void(_text(kind, column))
        elif isinstance(column, (list, Ragged)):
            raise BrokenContract("what differs in length from row to row is no run of fixed width")
        elif isinstance(column, tuple):
            _fill_numeric(target, column[0][first:last], column[1][first:last])
        elif kind in _ELEMENTS:
            _fill_array(target, kind, column[first:last])
        elif kind == "timestamptz":
            target[:] = column[first:last] - _EPOCH_US
        elif kind == "date":
            target[:] = column[first:last] - _EPOCH_DAYS
        else:
            target[:] = column[first:last]
    return rows


def copy_in(
    connection: psycopg.Connection[Any],
    table: str,
    columns: Mapping[str, tuple[str, Column]],
    *,
    schema: str | None,
) -> int:
    """Append arrays to a table by binary COPY; all rows arrive, or the transaction fails.

    Parameters
    ----------
    columns
        Column name -> (kind, values [n]). ``timestamptz`` takes int64 microseconds since 1970-01-01 UTC, ``date``
        days since then, ``numeric`` a pair (int64 mantissa, scale 0..12) whose value is mantissa * 10**-scale;
        ``int4[]`` and other arrays of numbers values [n, k] or a ``Ragged``, ``bytea`` bytes [n, k]. ``varchar``,
        ``jsonb`` and ``varchar[]`` (words between commas) take one text for all rows or a list of n, as ``bytea``
        takes a list of bytes. Not all columns may be one text for all rows.

    Returns
    -------
    int
        Rows written.
    """
    kinds = [kind for kind, _ in columns.values()]
    values = [_settled(kind, column) for kind, column in columns.values()]
    first_column = next(column for column in values if not isinstance(column, (str, Ragged)))
    count = len(first_column[0] if isinstance(first_column, tuple) else first_column)
    target = sql.Identifier(schema, table) if schema else sql.Identifier(table)
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(target, names)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(_SIGNATURE)
        for first in range(0, count, _ROWS_PER_BLOCK):
            copy.write(_encode(values, kinds, first, min(first + _ROWS_PER_BLOCK, count)))
        copy.write(_TRAILER)
    return count


def copy_out(
    connection: psycopg.Connection[Any],
    query: str,
    kinds: Mapping[str, str],
    parameters: Mapping[str, Any] | None = None,
) -> dict[str, Array]:
    """Read a query's rows as native arrays, in the order of the query.

    The client library hands out COPY a row at a time, so the server joins each column to one value in binary form
    instead. The limit, which is none, keeps the rows in order: it rules out that workers join parts of them.

    Parameters
    ----------
    query
        A SELECT that ends in ORDER BY, with the columns of ``kinds`` in order, none of them null.
    kinds
        Column name -> int2, int4, int8, float4, timestamptz (as int64 Unix microseconds) or date (days since 1970).

    Raises
    ------
    BrokenContract
        A null or another type came back: the query does not fit ``kinds``.
    """
    names = [f"c{index}" for index in range(len(kinds))]
    joined = ", ".join(
        f"string_agg({_SEND[kind]}({name}), ''::bytea)" for name, kind in zip(names, kinds.values(), strict=True)
    )
    statement = f"SELECT count(*), {joined} FROM ({query} LIMIT {_NO_LIMIT}) AS q ({', '.join(names)})"
    try:
        row = connection.cursor(binary=True).execute(statement.encode(), parameters).fetchone()
    except (psycopg.errors.UndefinedFunction, psycopg.errors.InvalidColumnReference) as error:
        raise BrokenContract(f"a bulk read does not fit its query: {error}") from error
    assert row is not None  # noqa: S101 - an aggregate always returns a row
    result: dict[str, Array] = {}
    for (name, kind), data in zip(kinds.items(), row[1:], strict=True):
        result[name] = _decoded(name, kind, data or b"", row[0])
    return result


def _decoded(name: str, kind: str, data: bytes, count: int) -> Array:
    if len(data) != count * _FIXED[kind].itemsize:
        raise BrokenContract(f"a bulk read met a null in {name}")
    return decode(kind, data)


def decode(kind: str, data: bytes) -> Array:
    """Return values that the server joined in binary form, `string_agg(int8send(x), ''::bytea)`, as `copy_out` does."""
    wire = _FIXED[kind]
    values = np.frombuffer(data, dtype=wire).astype(wire.newbyteorder("="))
    if kind == "timestamptz":
        values += _EPOCH_US
    elif kind == "date":
        values += _EPOCH_DAYS
    return values


def array_text(values: Iterable[object]) -> str:
    """Return plain values, which need no quotes, as the text of an array: a fraction of the time of a list of them."""
    return "{" + ",".join(map(str, values)) + "}"
