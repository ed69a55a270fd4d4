"""The ``wattloom`` command: arguments in, one pipeline call, a readable answer out."""

import argparse
import logging
import sys
from collections.abc import Sequence

from pipelines import clock, log
from pipelines.cli import (
    accounts,
    analyzing,
    database,
    expressing,
    importing,
    loading,
    serving,
    simulating,
    subscribing,
    working,
)
from pipelines.db.engine import close_engines
from pipelines.errors import WattloomError
from pipelines.settings import Settings

USAGE_ERROR = 2


def parser() -> argparse.ArgumentParser:
    """Return the parser of every command."""
    root = argparse.ArgumentParser(prog="wattloom", description="Smart-meter data platform.")
    root.set_defaults(takes_further=False)
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for room in (
        database,
        accounts,
        serving,
        loading,
        importing,
        analyzing,
        working,
        subscribing,
        simulating,
        expressing,
    ):
        room.add_commands(commands)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a foreseen failure is one clear line and exit code 2."""
    root = parser()
    chosen, further = root.parse_known_args(arguments)
    if further and not chosen.takes_further:
        root.error(f"unrecognized arguments: {' '.join(further)}")
    chosen.further = further
    try:
        settings = Settings.from_environment()
        log.configure(settings.log_level)
        clock.start_at(settings.clock)
        log.announce_clock()
        code: int = chosen.run(settings, chosen)
    except WattloomError as error:
        print(f"wattloom: {error}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print("wattloom: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        logging.getLogger("wattloom.cli").debug("the reader of our output went away")
        return 0
    finally:
        close_engines()
    return code
