"""A block of CSV lines into columns of text; a line that does not fit the header is told apart.

A line is a record: a quoted field may hold the separator but no line feed, so a stray quote spoils one line
only.
"""

import csv
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.files.layout import Layout
from pipelines.files.plan import BLANKS, Code

DETAILS = {
    Code.WRONG_FIELD_COUNT: "The row has more or fewer fields than the header; is the decimal sign no point?",
    Code.MALFORMED_ROW: "The row has an open quote or is not UTF-8.",
}
_END = "\x1e"  # the ASCII record separator closes each line, so that a row's number of fields is seen
_UNDECODABLE = "\ufffd"


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of a block that are not blank: their place in it [n, from 0], their texts, and those at fault.

    ``device`` is None where the file has no such column; ``lines`` counts the blank lines too.
    """

    place: npt.NDArray[np.int64]
    device: pl.Series | None
    time: pl.Series
    value: pl.Series
    faults: dict[Code, npt.NDArray[np.bool_]]
    lines: int


def read_rows(block: bytes, layout: Layout) -> Rows:
    """Return the rows of ``block``, whose lines all end with a line feed."""
    lines = block.replace(b"\r\n", b"\n")
    is_utf8 = _is_utf8(lines)
    frame = _read_quoted(lines, layout) if b'"' in lines else _read_plain(lines, layout)
    kept = frame.filter(~pl.col("blank"))
    broken = kept["broken"].to_numpy()
    if not is_utf8:
        columns = [name for name in ("device", "time", "value") if name in kept.columns]
        spoiled = pl.any_horizontal(
            pl.col(columns).str.contains(_UNDECODABLE, literal=True).fill_null(value=False)
        )
        broken = broken | kept.select(spoiled).to_series().to_numpy()
    complete = (kept["end"] == _END).fill_null(value=False).to_numpy()
    return Rows(
        place=kept["place"].cast(pl.Int64).to_numpy(),
        device=kept["device"] if layout.device is not None else None,
        time=kept["time"],
        value=kept["value"],
        faults={Code.MALFORMED_ROW: broken, Code.WRONG_FIELD_COUNT: ~complete & ~broken},
        lines=len(frame),
    )


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _wanted(layout: Layout) -> dict[str, int]:
    """Return the place in a line of what is read of it."""
    places = {"time": layout.time, "value": layout.value, "end": len(layout.columns)}
    return places if layout.device is None else {"device": layout.device, **places}


def _read_plain(lines: bytes, layout: Layout) -> pl.DataFrame:
    """Read lines without a quote: every separator separates."""
    names = [f"c{number}" for number in range(len(layout.columns) + 1)]
    header = layout.separator.join(names) + "\n"
    frame = pl.read_csv(
        header.encode() + lines.replace(b"\n", f"{layout.separator}{_END}\n".encode()),
        schema=dict.fromkeys(names, pl.String),
        separator=layout.separator,
        quote_char=None,
        encoding="utf8-lossy",
        truncate_ragged_lines=True,
        row_index_name="place",
    )
    return frame.select(
        "place",
        *(pl.col(names[n]).alias(name) for name, n in _wanted(layout).items()),
        blank=pl.col("c0").fill_null("").str.strip_chars(BLANKS).eq("")
        & pl.col("c1").eq(_END).fill_null(value=False),
        broken=pl.lit(value=False),
    )


def _read_quoted(lines: bytes, layout: Layout) -> pl.DataFrame:
    """Read lines of which some have quotes, each by itself."""
    wanted = _wanted(layout)
    fields: list[list[str | None]] = []
    blank, broken = [], []
    for line in lines.decode(errors="replace").split("\n")[:-1]:
        parts, is_broken = _split(line, layout.separator)
        parts.append(_END)
        parts += [""] * (len(layout.columns) + 1 - len(parts))
        fields.append([parts[n] or None for n in wanted.values()])
        blank.append(not line.strip(BLANKS))
        broken.append(is_broken)
    frame = pl.DataFrame(fields, schema=dict.fromkeys(wanted, pl.String), orient="row")
    return frame.with_columns(
        pl.Series("blank", blank, dtype=pl.Boolean), pl.Series("broken", broken, dtype=pl.Boolean)
    ).with_row_index("place")


def _split(line: str, separator: str) -> tuple[list[str], bool]:
    try:
        return next(csv.reader([line], delimiter=separator, strict=True, skipinitialspace=True), []), False
    except csv.Error:
        return [], True
