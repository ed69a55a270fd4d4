"""A text file of any size as a header and blocks of whole lines, unpacked on the way where it is gzip."""

import gzip
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO, NoReturn, Self

from pipelines.errors import RejectedInput

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_BLOCK_BYTES = 2 << 20  # a row has 20 bytes or more, so a block has at most about 100,000 rows


class TextFile:
    """An open file: ``header``, then ``blocks``; ``position`` counts the bytes that were read so far.

    Raises
    ------
    RejectedInput
        Naming the file: not there, not a file, empty, damaged gzip, or no text in UTF-8.
    """

    def __init__(self, path: Path, *, block_bytes: int = _BLOCK_BYTES) -> None:
        self._path = path
        self._block_bytes = block_bytes
        if not path.is_file():
            self._refuse("is no file" if path.exists() else "there is no such file")
        try:
            self._raw: IO[bytes] = path.open("rb")
        except OSError as error:
            self._refuse(f"cannot be opened: {error.strerror}")
        try:
            is_gzip = self._raw.read(2) == _GZIP
            self._raw.seek(0)
            self._text: IO[bytes] | gzip.GzipFile = gzip.GzipFile(fileobj=self._raw) if is_gzip else self._raw
            self._rest = b""
            self.header = self._read_header()
        except BaseException:
            self._raw.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._text.close()
        self._raw.close()

    @property
    def position(self) -> int:
        """Bytes read from the file itself, packed where it is packed."""
        return self._raw.tell()

    def blocks(self) -> Iterator[bytes]:
        """Return the lines under the header in blocks of bounded size; every line ends with a line feed."""
        rest = b""
        for data in chain([self._rest], iter(self._read, b"")):
            cut = data.rfind(b"\n") + 1
            if cut:
                yield rest + data[:cut]
                rest = data[cut:]
            else:
                rest += data
            if len(rest) > 2 * self._block_bytes:
                self._refuse(f"has a line longer than {self._block_bytes} bytes")
        if rest:
            yield rest + b"\n"

    def _read_header(self) -> str:
        data = self._read()
        if not data:
            self._refuse("is empty")
        line, _, self._rest = data.removeprefix(_BOM).partition(b"\n")
        try:
            header = line.decode()
        except UnicodeDecodeError:
            self._refuse("is no text in UTF-8")
        if "\0" in header:
            self._refuse("is no text in UTF-8")
        if not header.strip():
            self._refuse("has no header: its first line is empty")
        return header.rstrip("\r")

    def _read(self) -> bytes:
        try:
            return self._text.read(self._block_bytes)
        except (OSError, EOFError, zlib.error) as error:
            self._refuse(f"cannot be read to its end, the gzip is damaged or cut short: {error}")

    def _refuse(self, reason: str) -> NoReturn:
        raise RejectedInput({str(self._path): [reason]})
