"""Small JSON files for their owner only: what the demo must know again the next time."""

import json
import os
from pathlib import Path
from typing import Any


def write_private(file: Path, content: object) -> None:
    """Write ``content`` as JSON to ``file``, readable by its owner only, whole or not at all."""
    draft = file.with_name(f".{file.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        json.dump(content, stream, indent=2)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)


def read_private(file: Path) -> Any:
    """Return what `write_private` wrote; None where there is no file."""
    try:
        return json.loads(file.read_text())
    except FileNotFoundError:
        return None
