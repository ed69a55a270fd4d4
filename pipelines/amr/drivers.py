"""Every driver there is, by execution type: the one place that knows all protocols."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from pipelines.amr.contract import Driver
from pipelines.amr.faults import Misconfigured, Unsupported
from pipelines.errors import RejectedInput
from pipelines.fields import check_all

PACKAGES = {
    "generic_lis200": "lis200",
    "generic_iec6205621": "iec62056_21",
    "generic_corus_meter": "iflag",
    "generic_dlms": "dlms",
    "generic_mbus": "mbus",
    "generic_modbus": "modbus",
}
ALIASES = {"generic_corus": "generic_corus_meter"}
EXECUTION_TYPES = (*PACKAGES, *ALIASES)


@cache
def driver(execution_type: str) -> Driver:
    """Return the driver of an execution type; its package is imported at the first call.

    Raises
    ------
    Unsupported
        There is none.
    """
    name = ALIASES.get(execution_type, execution_type)
    if name not in PACKAGES:
        raise Unsupported(f"no driver executes {execution_type!r}; there are {', '.join(EXECUTION_TYPES)}")
    found: Driver = import_module(f"pipelines.amr.protocols.{PACKAGES[name]}").DRIVER
    return found


def checked_arguments(execution_type: str, call: str, arguments: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the arguments of a call as its driver takes them.

    Raises
    ------
    Unsupported
        The driver has no such call; the text lists those it has.
    Misconfigured
        An argument is wrong; the text names each.
    """
    calls = driver(execution_type).calls
    if call not in calls:
        raise Unsupported(f"{execution_type} has no call {call!r}; it has {', '.join(sorted(calls))}")
    fields = calls[call].fields
    sent = dict(arguments or {})
    unknown = sorted(set(sent) - {field.name for field in fields})
    if unknown:
        known = ", ".join(field.name for field in fields) or "none"
        raise Misconfigured(f"{call} does not take {', '.join(map(repr, unknown))}; its arguments are: {known}")
    try:
        return check_all(fields, sent)
    except RejectedInput as error:
        raise Misconfigured(f"{call}: {error}") from None
