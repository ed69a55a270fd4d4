"""Network interfaces and SIM cards as resources: where a meter is reached, and whether somebody talks there now."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pipelines import clock
from pipelines.crud import Resource, Row
from pipelines.db import tables
from pipelines.fields import Field, Kind

_DIGITS = "[0123456789]*"

SIM_CARD = Resource(
    name="sim-cards",
    title="SimCard",
    table=tables.sim_card,
    fields=(
        Field(name="organization", kind=Kind.UUID, nullable=True, column="organization_id"),
        Field(name="iccid", required=True, min_length=1, max_length=20, pattern=_DIGITS),
        Field(name="imsi", required=True, min_length=1, max_length=15, pattern=_DIGITS),
        Field(name="ip_address", kind=Kind.IP, nullable=True),
        Field(name="phone_number", nullable=True, min_length=1, max_length=30),
        Field(name="external_system_link", kind=Kind.URI, nullable=True, min_length=1, max_length=200),
    ),
    filters=("iccid", "imsi"),
)


def host_of(fqdn: str | None, static_ip: str | None, sim_ip: str | None) -> str | None:
    """Return where an interface is reached: by its FQDN, else its static IP, else the IP of its SIM."""
    return fqdn or static_ip or sim_ip


def is_blocked(row: Row, now: datetime) -> bool:
    """Tell whether a job talks over the interface now; a lease that ran out blocks nobody."""
    return row["blocked_until"] is not None and row["blocked_until"] > now


def _extend(connection: sa.Connection, rows: Sequence[Row]) -> None:
    """Add ``host``, ``is_blocked`` and ``block_time``."""
    wanted = {row["sim_id"] for row in rows} - {None}
    sim = tables.sim_card
    query = sa.select(sim.c.id, sim.c.ip_address).where(sim.c.id.in_(wanted))
    sims = {row.id: row.ip_address for row in connection.execute(query)} if wanted else {}
    now = clock.now()
    for row in rows:
        row["host"] = host_of(row["fqdn"], row["static_ip_address"], sims.get(row["sim_id"]))
        row["is_blocked"] = is_blocked(row, now)
        row["block_time"] = row["blocked_at"] if row["is_blocked"] else None


INTERFACE = Resource(
    name="network-interfaces",
    title="NetworkInterface",
    table=tables.network_interface,
    fields=(
        Field(name="organization", kind=Kind.UUID, required=True, column="organization_id"),
        Field(name="static_ip_address", kind=Kind.IP, nullable=True, doc="Overrides the IP of the SIM"),
        Field(name="fqdn", nullable=True, max_length=200, doc="Overrides any IP; looked up at each connection"),
        Field(name="port", kind=Kind.INTEGER, nullable=True, minimum=0, maximum=65_535),
        Field(name="sim", kind=Kind.UUID, nullable=True, column="sim_id", refers_to="sim-cards"),
        Field(
            name="can_block",
            kind=Kind.BOOLEAN,
            doc="One job at a time; without it only the number of connections to a host is limited",
        ),
        Field(name="host", nullable=True, read_only=True, doc="FQDN, else static IP, else IP of the SIM"),
        Field(name="is_blocked", kind=Kind.BOOLEAN, read_only=True, doc="A job talks over it now"),
        Field(name="block_time", kind=Kind.DATETIME, nullable=True, read_only=True, doc="Since when"),
        Field(
            name="circuit_open_until",
            kind=Kind.DATETIME,
            nullable=True,
            read_only=True,
            doc="After repeated failures scheduled jobs wait until then",
        ),
    ),
    targets={"sim": tables.sim_card},
    extend=_extend,
)

_INFO = ("id", "host", "port", "static_ip_address", "fqdn", "can_block", "is_blocked", "block_time")


def interface_infos(connection: sa.Connection, identifiers: set[Any]) -> dict[Any, Row]:
    """Return what a meter device shows of each interface."""
    if not identifiers:
        return {}
    table = tables.network_interface
    rows = [dict(r._mapping) for r in connection.execute(sa.select(table).where(table.c.id.in_(identifiers)))]
    _extend(connection, rows)
    return {row["id"]: {name: row[name] for name in _INFO} for row in rows}
