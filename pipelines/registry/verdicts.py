"""What an import says about rows and files: stable codes, and sentences that never repeat a value."""

from dataclasses import dataclass
from enum import StrEnum

from pipelines.errors import RejectedInput
from pipelines.registry.dictionary import Column, Kind, Table


class Code(StrEnum):
    """Why a row was rejected."""

    REQUIRED = "required"
    INTEGER = "invalid_integer"
    FLOAT = "invalid_float"
    DECIMAL_COMMA = "decimal_comma"
    DATE = "invalid_date"
    BOOLEAN = "invalid_boolean"
    CHOICE = "invalid_choice"
    LETTERS = "invalid_code"
    RANGE = "out_of_range"
    LONG = "too_long"
    TEXT = "invalid_text"
    NESTED = "not_a_single_value"
    NO_LETTERS = "no_letter_or_digit"
    FIELDS = "wrong_field_count"
    NOT_A_ROW = "not_an_object"
    MERGED = "merged_cell"
    CUSTOM = "invalid_custom"
    MALFORMED = "malformed_row"
    TWICE = "duplicate_column"


_SENTENCES = {
    Code.REQUIRED: "This column is required and may not be empty.",
    Code.INTEGER: "A whole number is expected.",
    Code.FLOAT: "A number is expected.",
    Code.DECIMAL_COMMA: "Only the period is a decimal delimiter; the value holds a comma.",
    Code.DATE: "A date is expected, as 2021-05-03, from 1900 to 2100.",
    Code.BOOLEAN: "true or false is expected.",
    Code.TEXT: "The text holds a character that cannot be stored.",
    Code.NESTED: "A single value is expected, not a list or an object.",
    Code.NO_LETTERS: "At least one letter or digit is needed: the value is part of the device's id.",
    Code.FIELDS: "The row has another number of fields than the header.",
    Code.NOT_A_ROW: "A row must be an object with the columns as its keys.",
    Code.MERGED: "The cell is part of a merged cell; every row needs a cell of its own.",
    Code.CUSTOM: "What was sent beyond the table's columns is too deep, too long, or cannot be stored.",
    Code.MALFORMED: "The row is malformed: a quoted cell must be followed by the delimiter.",
    Code.TWICE: "Two keys of the row mean this column.",
}


def sentence(table: Table, name: str, code: str) -> str:
    """Return a verdict as a sentence."""
    column = table.by_name.get(name)
    if column is not None:
        if code == Code.CHOICE:
            return f"One of {', '.join(column.choices)} is expected."
        if code == Code.LETTERS:
            return f"A code of {column.letters} letters is expected."
        if code == Code.LONG:
            return f"At most {column.longest} characters are allowed."
        if code == Code.RANGE:
            return _range(column)
    return _SENTENCES.get(Code(code), "The row was rejected.")


def _range(column: Column) -> str:
    if column.minimum is not None and column.maximum is not None:
        return f"The value must lie from {column.minimum:g} to {column.maximum:g}."
    if column.minimum is not None:
        return f"The value must be at least {column.minimum:g}."
    return "The number is too large." if column.kind is Kind.FLOAT else "The value is out of range."


@dataclass(frozen=True, slots=True)
class Verdict:
    """A rejected row: its place (the first data row is 1), the column or '', and a code."""

    row: int
    column: str
    code: str


class RefusedFile(RejectedInput):
    """A whole file or body is refused, nothing of it is stored; ``detail`` repeats nothing of what it holds."""

    def __init__(self, code: str, detail: str, column: str = "") -> None:
        self.code, self.detail, self.column = code, detail, column
        super().__init__({column or "file": [detail]})
