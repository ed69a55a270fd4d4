"""What is imported, before it is understood: bytes in memory or a file, told apart by content and never by name."""

import codecs
import hmac
import io
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

from pipelines.errors import RejectedInput
from pipelines.registry.verdicts import RefusedFile

_STEP = 1 << 20
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"


class Form(StrEnum):
    """How rows are written down."""

    CSV = "csv"
    JSON = "json"
    XLSX = "xlsx"


@dataclass(frozen=True, kw_only=True, repr=False)
class Content:
    """The bytes of an import; a file is read in steps and never copied, since it holds personal values."""

    data: bytes | None = None
    path: Path | None = None

    def open(self) -> IO[bytes]:
        """Return a new reader from the start.

        Raises
        ------
        RejectedInput
            The file cannot be read.
        """
        if self.path is None:
            return io.BytesIO(self.data or b"")
        if not self.path.is_file():
            raise RejectedInput({str(self.path): ["there is no such file"]})
        try:
            return self.path.open("rb")
        except OSError as error:
            raise RejectedInput({str(self.path): [f"cannot be opened: {error.strerror}"]}) from None

    @property
    def size(self) -> int:
        """Return the number of bytes."""
        return self.path.stat().st_size if self.path is not None else len(self.data or b"")

    def whole(self, limit: int) -> bytes:
        """Return all bytes.

        Raises
        ------
        RefusedFile
            There are more than ``limit``.
        """
        with self.open() as reader:
            data = self.data if self.data is not None else reader.read(limit + 1)
        if len(data) > limit:
            raise RefusedFile("too_large", f"More than {limit >> 20} MB of this kind are refused; use CSV.")
        return data

    def digest(self, key: bytes, purpose: str) -> bytes:
        """Return a keyed digest, by which an interrupted import is known again."""
        code = hmac.new(key, purpose.encode(), "sha256")
        with self.open() as reader:
            while step := reader.read(_STEP):
                code.update(step)
        return code.digest()


def form_of(content: Content) -> Form:
    """Tell what a content is.

    Raises
    ------
    RefusedFile
        It is empty, packed, or an old Excel file.
    """
    with content.open() as reader:
        start = reader.read(4096)
    if start.startswith(_ZIP):
        return Form.XLSX
    if start.startswith(_OLD_EXCEL):
        raise RefusedFile("unreadable", "This is an old or protected Excel file; save it as xlsx or CSV.")
    if start.startswith(_GZIP):
        raise RefusedFile("unreadable", "The file is packed with gzip; send it unpacked.")
    text = start.removeprefix(codecs.BOM_UTF8).lstrip()
    if not text:
        raise RefusedFile("empty", "There is nothing to import: the file is empty.")
    return Form.JSON if text[:1] in {b"{", b"["} else Form.CSV


def encoding_of(content: Content) -> str:
    """Return the encoding of a text: UTF-8 or UTF-16 (with its mark), else what western Windows and Latin-1 write.

    Raises
    ------
    RefusedFile
        It holds null bytes, so it is no text.
    """
    with content.open() as reader:
        start = reader.read(2)
        if start in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
            return "utf-16"
        reader.seek(0)
        decoder, is_utf8, in_windows = codecs.getincrementaldecoder("utf-8")(), True, False
        while True:
            step = reader.read(_STEP)
            if b"\0" in step:
                raise RefusedFile("unreadable", "The file is neither text nor xlsx: it holds null bytes.")
            in_windows = in_windows or any(byte in step for byte in b"\x80\x91\x92\x93\x94\x95\x96\x97\x85")
            if is_utf8:
                try:
                    decoder.decode(step, final=not step)
                except UnicodeDecodeError:
                    is_utf8 = False
            if not step:
                break
    if is_utf8:
        return "utf-8-sig"
    return "cp1252" if in_windows and _decodes(content, "cp1252") else "latin-1"


def _decodes(content: Content, encoding: str) -> bool:
    with content.open() as reader:
        try:
            while step := reader.read(_STEP):
                step.decode(encoding)
        except UnicodeDecodeError:
            return False
    return True
