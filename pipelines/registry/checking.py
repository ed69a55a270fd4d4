"""Blocks of text into typed, pseudonymised columns: every fault of every row found at once, column by column."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import polars as pl

from pipelines.registry.blocks import Block
from pipelines.registry.dictionary import Column, Kind, Table
from pipelines.registry.pseudonyms import Hasher, blurred
from pipelines.registry.verdicts import Code, Verdict

ORIGIN = "generic"
_TRUE, _FALSE = ["true", "t", "yes", "y", "1"], ["false", "f", "no", "n", "0"]
_NUMBER = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_PLAIN_NUMBER = r"^[+-]?([0-9]{1,4}(\.[0-9]{0,60})?|\.[0-9]{1,60})$"
_WHOLE = r"^[+-]?[0-9]{1,15}(\.0*)?$"
_ISO_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_MOMENT = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:[T ]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]{1,9})?)? ?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_EARLIEST, _LATEST = date(1900, 1, 1), date(2100, 12, 31)
_NOT_NAMED = r"[^\p{L}\p{M}\p{N}]+"

Checked = tuple[pl.Expr, pl.Expr]  # the value, and a code where it is faulty


@dataclass(kw_only=True)
class Rows:
    """What the checks leave of a block: good rows as a frame fit to be copied, and the verdicts of the others."""

    frame: pl.DataFrame
    verdicts: list[Verdict]
    to: int
    seen: int
    bytes_read: int


def _fault(wrong: pl.Expr, code: Code) -> pl.Expr:
    return pl.when(wrong).then(pl.lit(code.value))


def _string(column: Column, text: pl.Expr) -> Checked:
    wrong = _fault(text.str.contains("\0", literal=True), Code.TEXT)
    wrong = pl.coalesce(wrong, _fault(text.str.len_chars() > column.longest, Code.LONG))
    if column.letters is not None:
        code = text.str.to_uppercase()
        return code, pl.coalesce(wrong, _fault(~code.str.contains(f"^[A-Z]{{{column.letters}}}$"), Code.LETTERS))
    return text, wrong


def _enum(column: Column, text: pl.Expr) -> Checked:
    code = text.str.to_uppercase()
    return code, _fault(~code.is_in(list(column.choices)), Code.CHOICE)


def _comma_or(text: pl.Expr, pattern: str, code: Code) -> pl.Expr:
    has_comma = text.str.contains(",", literal=True)
    said = pl.when(has_comma).then(pl.lit(Code.DECIMAL_COMMA.value)).otherwise(pl.lit(code.value))
    return pl.when(~text.str.contains(pattern)).then(said)


def _outside(column: Column, number: pl.Expr) -> pl.Expr:
    wrong = ~number.is_finite() if column.kind is Kind.FLOAT else pl.lit(value=False)
    if column.minimum is not None:
        wrong = wrong | (number < column.minimum)
    if column.maximum is not None:
        wrong = wrong | (number > column.maximum)
    return _fault(wrong, Code.RANGE)


def _integer(column: Column, text: pl.Expr) -> Checked:
    number = text.str.replace(r"\.0*$", "").str.replace(r"^\+", "").cast(pl.Int64, strict=False)
    return number, pl.coalesce(_comma_or(text, _WHOLE, Code.INTEGER), _outside(column, number))


def _float(column: Column, text: pl.Expr) -> Checked:
    number = text.cast(pl.Float64, strict=False)
    return number, pl.coalesce(_comma_or(text, _NUMBER, Code.FLOAT), _outside(column, number))


def _coordinate(column: Column, text: pl.Expr) -> Checked:
    number = text.cast(pl.Float64, strict=False)
    faults = pl.coalesce(_comma_or(text, _NUMBER, Code.FLOAT), _outside(column, number))
    return _blurred(text), faults


def _blurred(text: pl.Expr) -> pl.Expr:
    """Round half even to 3 decimals, on the decimal digits as they were written."""
    plain = text.str.contains(_PLAIN_NUMBER)
    unsigned = text.str.strip_chars_start("+-")
    whole = unsigned.str.extract(r"^([0-9]*)").str.zfill(1).cast(pl.Int64, strict=False)
    fraction = unsigned.str.extract(r"\.([0-9]*)").fill_null("").str.pad_end(4, "0")
    milli = whole * 1000 + fraction.str.head(3).cast(pl.Int64, strict=False)
    rest = fraction.str.slice(3).str.strip_chars_end("0")
    is_up = (rest > "5") | ((rest == "5") & (milli % 2 == 1))
    thousandths = milli + is_up.cast(pl.Int64)
    digits = pl.format("{}.{}", thousandths // 1000, (thousandths % 1000).cast(pl.String).str.zfill(3))
    rounded = digits.cast(pl.Float64, strict=False)  # a division would be off by one bit here and there
    signed = pl.when(text.str.starts_with("-")).then(-rounded).otherwise(rounded) + 0.0
    rare = pl.when(~plain).then(text).map_elements(_blurred_rarely, return_dtype=pl.Float64, skip_nulls=True)
    return pl.when(plain).then(signed).otherwise(rare)


def _blurred_rarely(text: str) -> float | None:
    """Round what is written with an exponent; None where it is no number of degrees."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return float(blurred(number)) + 0.0 if number.is_finite() and abs(number) < 1000 else None


def _date(_column: Column, text: pl.Expr) -> Checked:
    is_day = text.str.contains(_ISO_DAY)
    quick = pl.when(is_day).then(text).str.to_date("%Y-%m-%d", strict=False)
    day = pl.coalesce(
        quick, pl.when(~is_day).then(text).map_elements(_moment_day, return_dtype=pl.Date, skip_nulls=True)
    )
    return day, _fault(text.is_not_null() & (day.is_null() | ~day.is_between(_EARLIEST, _LATEST)), Code.DATE)


def _moment_day(text: str) -> date | None:
    """Return the day in UTC of an instant as people write it; without a zone it is in UTC."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, zone = found.groups()
    zone = "+00:00" if zone in {None, "Z"} else zone
    padded = f"{year}-{int(month):02}-{int(day):02}T{int(hour or 0):02}:{minute or '00'}:{second or '00'}{zone}"
    try:
        return datetime.fromisoformat(padded).astimezone(UTC).date()
    except (ValueError, OverflowError):
        return None


def _boolean(_column: Column, text: pl.Expr) -> Checked:
    word = text.str.to_lowercase()
    truth = pl.when(word.is_in(_TRUE)).then(pl.lit(value=True)).when(word.is_in(_FALSE)).then(pl.lit(value=False))
    return truth, _fault(~word.is_in([*_TRUE, *_FALSE]), Code.BOOLEAN)


_CHECKS: dict[Kind, Callable[[Column, pl.Expr], Checked]] = {
    Kind.STRING: _string,
    Kind.ENUM: _enum,
    Kind.INTEGER: _integer,
    Kind.FLOAT: _float,
    Kind.DATE: _date,
    Kind.BOOLEAN: _boolean,
}


def check(table: Table, block: Block, hasher: Hasher, organization: int) -> Rows:
    """Check a block; of a good row pseudonyms are left where personal values were, of a faulty one only verdicts."""
    columns = {name: v if isinstance(v, pl.Series) else list(v) for name, v in block.texts.items()}
    texts = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    texts = texts.with_columns(pl.all().str.strip_chars()).with_columns(
        pl.when(pl.all() != "").then(pl.all()).name.keep()
    )
    values, faults = [], []
    for column in table.sent:
        if column.name not in block.texts:
            continue
        text = pl.col(column.name)
        value, fault = (_coordinate if column.blurred else _CHECKS[column.kind])(column, text)
        if column.required:
            fault = pl.coalesce(_fault(text.is_null(), Code.REQUIRED), fault)
        if column.name in {"manufacturer", "serial_number"}:
            fault = pl.coalesce(fault, _fault(text.str.replace_all(_NOT_NAMED, "") == "", Code.NO_LETTERS))
        values.append(value.alias(column.name))
        faults.append(fault.cast(pl.String).alias(column.name))
    found = texts.select(faults)
    verdicts = list(block.faults)
    for name in found.columns:
        places = found[name].is_not_null().arg_true().to_list()
        verdicts += [Verdict(block.rows[place], name, str(found[name][place])) for place in places]
    good = found.select(pl.all_horizontal(pl.all().is_null()).alias("good"))["good"] if block.rows else None
    frame = texts.select(values).with_columns(
        pl.Series("row_number", block.rows, dtype=pl.Int64),
        pl.Series("sent", block.sent, dtype=pl.Int64),
        pl.Series("shape", block.shapes, dtype=pl.Int64),
        pl.Series("custom", block.custom or [None] * len(block.rows), dtype=pl.String),
    )
    if good is not None:
        frame = frame.filter(good)
    seen = len(block.rows) + len({fault.row for fault in block.faults})
    return Rows(
        frame=_identified(table, _pseudonymised(table, frame, hasher), organization),
        verdicts=verdicts,
        to=block.to,
        seen=seen,
        bytes_read=block.bytes_read,
    )


def _pseudonymised(table: Table, frame: pl.DataFrame, hasher: Hasher) -> pl.DataFrame:
    hashed: list[Any] = [
        pl.Series(c.name, hasher.hashes(frame[c.name].to_list()), dtype=pl.String)
        for c in table.hashed
        if c.name in frame.columns
    ]
    return frame.with_columns(hashed)


def _identified(table: Table, frame: pl.DataFrame, organization: int) -> pl.DataFrame:
    """Add the ids that are made of other columns; null where one of their parts is."""

    def joined(name: str, *parts: pl.Expr, by: str) -> pl.Expr:
        return pl.concat_str(*parts, separator=by).alias(name)

    mine, origin = pl.lit(str(organization)), pl.lit(ORIGIN)
    if table.name == "customers":
        return frame.with_columns(joined("uid", mine, origin, pl.col("external_id"), by="-"))
    manufacturer = pl.col("manufacturer").str.to_lowercase().str.replace_all(_NOT_NAMED, "")
    serial = pl.col("serial_number").str.replace_all(_NOT_NAMED, "")
    ids = [
        joined("device_uid", mine, manufacturer, serial, by="_"),
        joined("customer_uid", mine, origin, pl.col("customer_external_id"), by="-"),
    ]
    if "account_external_id" in frame.columns:
        ids.append(joined("account_uid", mine, origin, pl.col("account_external_id"), by="-"))
    if "grid_name" in frame.columns:
        ids.append(joined("grid_uid", mine, pl.col("grid_name"), by="-"))
    frame = frame.with_columns(ids)
    return frame.with_columns(joined("uid", pl.col("customer_uid"), pl.col("device_uid"), by="-"))
