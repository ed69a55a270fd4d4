"""One log format for every process: time, level, logger, sentence. Secrets and personal data never enter a log."""

import logging
import sys

from pipelines import clock


class _UtcFormatter(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        return clock.now().isoformat(timespec="milliseconds")


def configure(level: str) -> None:
    """Send this process's log to standard error at ``level``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_UtcFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("alembic", "httpx", "sqlalchemy"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))


def announce_clock() -> None:
    """Say so when the process does not run on real time."""
    if clock.is_moved():
        logging.getLogger("wattloom.clock").warning(
            "the clock starts at %s (WATTLOOM_CLOCK)", clock.now().isoformat()
        )
