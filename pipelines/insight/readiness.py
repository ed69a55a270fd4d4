"""A word to whoever waits while the disaggregation is compiled."""

import logging

from analytics.disaggregation.model import is_ready

_LOG = logging.getLogger("wattloom.insight")


def announce_compiling() -> None:
    """Say so when the next disaggregation has to be compiled first."""
    if not is_ready():
        _LOG.info("the disaggregation is compiled for this machine first, once: about a minute")
