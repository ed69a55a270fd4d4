"""Lines that are split as a whole give the cells that the careful reader finds; what is not simple is left to it."""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.registry.contents import Content
from pipelines.registry.csv_rows import open_csv, simple_line, split_simple
from pipelines.registry.customers import CUSTOMERS
from pipelines.registry.tabular import Batch

CELLS = st.text(alphabet="ab ,;\"'#\\\t\u00e4\u2028\x1c\ufeff1.-", max_size=6)
LINES = st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=6)


def careful(text: str, delimiter: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))


def quick(text: str, delimiter: str, width: int) -> list[list[str]] | None:
    lines = list(io.StringIO(text, newline=""))
    columns = split_simple(lines, simple_line(delimiter, width), delimiter, width)
    return None if columns is None else [[cell or "" for cell in row] for row in columns.rows()]


@given(
    rows=LINES, delimiter=st.sampled_from(",;\t|"), end=st.sampled_from(["\n", "\r\n"]), all_quoted=st.booleans()
)
def test_written_rows_come_back_by_both_ways(
    rows: list[list[str]], delimiter: str, end: str, all_quoted: bool
) -> None:
    text = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)

    found = quick(text.getvalue(), delimiter, 3)

    assert careful(text.getvalue(), delimiter) == rows
    if all(set("".join(row)) & set("ab1") for row in rows) and not rows[0][0].startswith("\ufeff"):
        assert found == rows
    elif not all(any(row) for row in rows):
        assert found is None


@given(text=st.text(alphabet='ab,"\n\r #', min_size=1, max_size=30), width=st.integers(1, 3))
@example(text='a,"b"x\n', width=2)
@example(text='a, "b"\n', width=2)
@example(text="#a,b\n", width=2)
@example(text="a\rb\n", width=1)
def test_what_is_split_as_a_whole_is_what_the_careful_reader_reads(text: str, width: int) -> None:
    found = quick(text, ",", width)

    if found is not None:
        assert found == careful(text, ",")


@pytest.mark.parametrize("odd", ['C-x,"a\nb",1990', 'C-x,a "b" c,1990', "C-x,a", "", ",,", 'C-x,"a"b,1990'])
@pytest.mark.parametrize("place", [0, 19_999, 20_000, 20_001])
def test_a_line_that_is_not_simple_moves_no_row(odd: str, place: int) -> None:
    lines = [f"C-{n},Name {n},1990" for n in range(20_005)]
    lines.insert(place, odd)
    text = "external_id,profession,birth_year\n" + "\n".join(lines) + "\n"

    _, batches = open_csv(CUSTOMERS, Content(data=text.encode()))
    found = {row: cells for batch in batches for row, cells in cells_of(batch)}

    assert sorted(found) == list(range(1, 20_007))
    for n in range(20_005):
        assert found[n + 1 + (n >= place)] == [f"C-{n}", f"Name {n}", "1990"]


def cells_of(batch: Batch) -> list[tuple[int, list[str]]]:
    rows = batch.rows if batch.columns is None else [list(row) for row in batch.columns.rows()]
    return list(enumerate(rows, batch.first))
