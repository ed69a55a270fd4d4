"""Files of any size come as whole lines in bounded blocks; what is no text is refused by name."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import RejectedInput
from pipelines.files.text_blocks import TextFile


def _read(path: Path, block_bytes: int = 1 << 20) -> tuple[str, list[bytes]]:
    with TextFile(path, block_bytes=block_bytes) as text:
        return text.header, list(text.blocks())


@given(st.lists(st.text("ab,", max_size=9), max_size=40), st.booleans(), st.booleans(), st.integers(20, 64))
def test_no_line_is_lost_or_cut_whatever_the_block_size(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], packed: bool, ended: bool, block_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("blocks") / "a.csv"
    data = ("header\n" + "\n".join(lines) + ("\n" if ended else "")).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    header, blocks = _read(path, block_bytes)
    assert header == "header"
    assert all(block.endswith(b"\n") and len(block) <= 2 * block_bytes for block in blocks)
    assert b"".join(blocks).decode().split("\n")[: len(lines)] == lines if any(lines) else True


def test_a_byte_order_mark_and_carriage_returns_are_no_part_of_the_header(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbftime,value\r\n1,2\r\n")
    assert _read(path) == ("time,value", [b"1,2\r\n"])


def _packed_and_cut(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)[:-9]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (b"\n1,2\n", "first line is empty"),
        ("time,value\n".encode("utf-16"), "UTF-8"),
        ("tid,f\xf6rbrukning\n".encode("latin-1"), "UTF-8"),
        (b"\x1f\x8bgarbage", "gzip"),
        (_packed_and_cut(b"time,value\n" + b"2013-01-01 00:00,1\n" * 100), "gzip"),
        (b"time,value\n" + b"x" * 5_000_000, "longer than"),
    ],
)
def test_what_is_no_text_is_refused_by_the_files_name(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(RejectedInput) as refusal:
        _read(path)
    assert words in str(refusal.value)
    assert str(path) in refusal.value.errors


@pytest.mark.parametrize("name", ["", "absent.csv"])
def test_a_folder_or_an_absent_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RejectedInput, match="no"):
        _read(tmp_path / name)
