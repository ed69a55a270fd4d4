"""Network interfaces and SIM cards: where a meter is reached, who talks there now, and what shares what."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from pipelines import clock
from pipelines.amr import leases
from pipelines.db.engine import unit_of_work
from tests.api.callers import METERING, Json, Tenant
from tests.api.catalog import COLLECTIONS

INTERFACES, SIMS = f"{METERING}/network-interfaces", f"{METERING}/sim-cards"
FREE = {"is_blocked": False, "block_time": None}


def _interface(tenant: Tenant, **changes: Any) -> Json:
    return COLLECTIONS["network-interfaces"].made(tenant, **changes)


def _sim(tenant: Tenant, **changes: Any) -> Json:
    return COLLECTIONS["sim-cards"].made(tenant, **changes)


def _at(path: str, row: Json) -> str:
    return f"{path}/{row['id']}"


def _block(row: Json) -> Json:
    return {name: row[name] for name in FREE}


@pytest.mark.parametrize(
    ("fqdn", "static", "sim", "host"),
    [
        ("m1.example.org", "192.0.2.7", "10.0.0.1", "m1.example.org"),
        ("m1.example.org", None, "10.0.0.1", "m1.example.org"),
        ("m1.example.org", None, None, "m1.example.org"),
        (None, "192.0.2.7", "10.0.0.1", "192.0.2.7"),
        (None, "2001:db8::7", None, "2001:db8::7"),
        ("", "192.0.2.7", "10.0.0.1", "192.0.2.7"),
        (None, None, "10.0.0.1", "10.0.0.1"),
        ("", None, "fd00::1", "fd00::1"),
        (None, None, None, None),
        ("", None, None, None),
    ],
)
def test_an_interface_is_reached_by_its_fqdn_else_its_static_ip_else_that_of_its_sim(
    tenant: Tenant, fqdn: str | None, static: str | None, sim: str | None, host: str | None
) -> None:
    card = _sim(tenant, ip_address=sim)
    interface = _interface(tenant, fqdn=fqdn, static_ip_address=static, sim=card["id"])
    meter = tenant.meter(network_interface=interface["id"])

    assert interface["host"] == host
    assert tenant.staff.found(_at(INTERFACES, interface))["host"] == host
    assert meter["network_interface_info"]["host"] == host


def test_a_host_follows_every_change_of_the_interface_and_of_its_sim(tenant: Tenant) -> None:
    card = _sim(tenant, ip_address="10.0.0.1")
    interface = _interface(
        tenant, fqdn="m1.example.org", static_ip_address="192.0.2.7", sim=card["id"], host="evil.example.org"
    )
    address = _at(INTERFACES, interface)

    assert interface["host"] == "m1.example.org"
    assert tenant.staff.patch(address, json={"fqdn": None}).json()["host"] == "192.0.2.7"
    assert tenant.staff.patch(address, json={"static_ip_address": None}).json()["host"] == "10.0.0.1"
    assert tenant.staff.patch(_at(SIMS, card), json={"ip_address": "10.0.0.2"}).status_code == 200
    assert tenant.staff.found(address)["host"] == "10.0.0.2"
    assert tenant.staff.patch(address, json={"sim": None, "host": "evil.example.org"}).json()["host"] is None


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("2001:0DB8:0000::0007", "2001:db8::7"),
        ("2001:db8:0:0:0:0:0:7", "2001:db8::7"),
        ("ABCD::", "abcd::"),
        ("192.0.2.7", "192.0.2.7"),
    ],
)
def test_an_address_is_shown_in_its_shortest_form(tenant: Tenant, sent: str, shown: str) -> None:
    assert _interface(tenant, static_ip_address=sent)["static_ip_address"] == shown
    assert _sim(tenant, ip_address=sent)["ip_address"] == shown


def test_an_interface_may_say_nothing_but_whose_it_is(tenant: Tenant) -> None:
    interface = tenant.staff.made(INTERFACES, {"organization": tenant.id})

    empty = ("static_ip_address", "fqdn", "port", "sim", "host", "block_time", "circuit_open_until")
    assert {name: interface[name] for name in empty} == dict.fromkeys(empty)
    assert (interface["can_block"], interface["is_blocked"]) == (True, False)


def test_interfaces_share_a_sim_and_devices_share_an_interface(tenant: Tenant) -> None:
    card = _sim(tenant, ip_address="10.0.0.9")
    one, two = (_interface(tenant, static_ip_address=None, sim=card["id"], port=port) for port in (4059, 4060))
    meters = [tenant.meter(network_interface=row["id"]) for row in (one, one, two)]

    assert [(row["host"], row["port"]) for row in (one, two)] == [("10.0.0.9", 4059), ("10.0.0.9", 4060)]
    assert [meter["network_interface_info"] for meter in meters] == [
        {
            "id": row["id"],
            "host": "10.0.0.9",
            "port": row["port"],
            "static_ip_address": None,
            "fqdn": None,
            "can_block": True,
            **FREE,
        }
        for row in (one, one, two)
    ]
    assert tenant.meter()["network_interface_info"] is None


def _lease(interface: Json, seconds: int = 60) -> leases.Lease:
    until = clock.now() + timedelta(seconds=seconds)
    return leases.Lease(interface=UUID(interface["id"]), token=uuid4(), holder="collector-1", until=until)


def test_a_lease_shows_as_a_block_until_it_is_given_back(tenant: Tenant, engine: sa.Engine) -> None:
    interface, other = _interface(tenant), _interface(tenant)
    meter = tenant.meter(network_interface=interface["id"])
    assert _block(interface) == FREE
    before = clock.now()
    lease = _lease(interface)

    with unit_of_work(engine) as connection:
        assert leases.take(connection, [lease]) == {lease.token}
    held = tenant.staff.found(_at(INTERFACES, interface))
    of_meter = tenant.staff.found(f"{METERING}/meter-devices/{meter['id']}")["network_interface_info"]
    listed = {row["id"]: row for row in tenant.staff.found(INTERFACES, params={"limit": 1000})["results"]}
    with unit_of_work(engine) as connection:
        leases.release(connection, [lease])

    assert held["is_blocked"] is True
    assert before.isoformat() <= held["block_time"].replace("Z", "+00:00") <= clock.now().isoformat()
    assert held["updated_at"] == interface["updated_at"]
    assert _block(of_meter) == _block(listed[interface["id"]]) == _block(held)
    assert _block(listed[other["id"]]) == FREE
    assert tenant.staff.found(_at(INTERFACES, interface)) == interface


def test_a_lease_that_ran_out_blocks_nobody(tenant: Tenant, engine: sa.Engine) -> None:
    interface = _interface(tenant)
    with unit_of_work(engine) as connection:
        leases.take(connection, [_lease(interface, seconds=60)])

    clock.start_at(clock.now() + timedelta(seconds=50))
    assert tenant.staff.found(_at(INTERFACES, interface))["is_blocked"] is True
    clock.start_at(clock.now() + timedelta(seconds=11))
    assert tenant.staff.found(_at(INTERFACES, interface)) == interface


@pytest.mark.parametrize("held", [True, False])
def test_nobody_writes_a_block_or_a_circuit(tenant: Tenant, engine: sa.Engine, held: bool) -> None:
    interface = _interface(tenant)
    lease = _lease(interface)
    if held:
        with unit_of_work(engine) as connection:
            leases.take(connection, [lease])
    before = tenant.staff.found(_at(INTERFACES, interface))
    claims = {
        "is_blocked": not held,
        "block_time": "2020-01-01T00:00:00Z",
        "circuit_open_until": "2030-01-01T00:00:00Z",
        "blocked_by": None,
        "blocked_at": None,
        "blocked_until": None if held else "2030-01-01T00:00:00Z",
        "lease_token": str(uuid4()),
        "failures": 99,
    }

    changed = tenant.staff.patch(_at(INTERFACES, interface), json=claims)
    replaced = tenant.staff.put(
        _at(INTERFACES, interface), json=COLLECTIONS["network-interfaces"].body(tenant) | claims
    )
    created = _interface(tenant, **claims)
    with unit_of_work(engine) as connection:
        again = leases.take(connection, [_lease(interface)])

    for answer in (changed, replaced):
        assert answer.status_code == 200
        assert answer.json() | {"updated_at": None} == before | {"updated_at": None}
        assert answer.json()["updated_at"] > before["updated_at"]
    assert (_block(created), created["circuit_open_until"]) == (FREE, None)
    assert bool(again) is not held


def test_an_open_circuit_shows_until_the_interface_is_reached(tenant: Tenant, engine: sa.Engine) -> None:
    interface = _interface(tenant)
    identifier = UUID(interface["id"])

    with unit_of_work(engine) as connection:
        for _ in range(leases.CIRCUIT_FAILURES):
            leases.note_reached(connection, [(identifier, False)])
    opened = tenant.staff.found(_at(INTERFACES, interface))["circuit_open_until"]
    with unit_of_work(engine) as connection:
        leases.note_reached(connection, [(identifier, True)])

    assert opened.endswith("Z")
    assert opened > interface["created_at"]
    assert tenant.staff.found(_at(INTERFACES, interface))["circuit_open_until"] is None


def test_deleting_a_sim_or_an_interface_takes_the_link_and_leaves_the_rest(tenant: Tenant) -> None:
    card = _sim(tenant, ip_address="10.0.0.3")
    one, two = (_interface(tenant, static_ip_address=None, sim=card["id"]) for _ in range(2))
    meter = tenant.meter(network_interface=one["id"])

    assert tenant.staff.delete(_at(SIMS, card)).status_code == 204
    for interface in (one, two):
        shown = tenant.staff.found(_at(INTERFACES, interface))
        assert (shown["sim"], shown["host"]) == (None, None)
    assert tenant.staff.delete(_at(INTERFACES, one)).status_code == 204
    left = tenant.staff.found(f"{METERING}/meter-devices/{meter['id']}")

    assert left == meter | {"network_interface": None, "network_interface_info": None}
    assert tenant.staff.found(_at(INTERFACES, two))["id"] == two["id"]


def test_links_into_another_organization_are_refused_and_nothing_is_written(
    tenant: Tenant, stranger: Tenant
) -> None:
    foreign = {"sim": _sim(stranger)["id"], "network_interface": _interface(stranger)["id"]}
    mine, meter = _interface(tenant), tenant.meter()

    for path, body, field in [
        (INTERFACES, COLLECTIONS["network-interfaces"].body(tenant), "sim"),
        (f"{METERING}/meter-devices", COLLECTIONS["meter-devices"].body(tenant), "network_interface"),
    ]:
        before = tenant.staff.found(path)["count"]
        answer = tenant.staff.post(path, json=body | {field: foreign[field]})
        assert (answer.status_code, list(answer.json())) == (400, [field])
        assert tenant.staff.found(path)["count"] == before
    for address, field in [
        (_at(INTERFACES, mine), "sim"),
        (f"{METERING}/meter-devices/{meter['id']}", "network_interface"),
    ]:
        before = tenant.staff.found(address)
        answer = tenant.staff.patch(address, json={field: foreign[field]})
        assert (answer.status_code, list(answer.json())) == (400, [field])
        assert tenant.staff.found(address) == before


def test_a_subsidiarys_rows_do_not_mix_with_the_parents(tenant: Tenant) -> None:
    subsidiary = COLLECTIONS["organizations"].made(tenant)["id"]
    theirs = _sim(tenant, organization=subsidiary)

    mixed = tenant.staff.post(INTERFACES, json={"organization": tenant.id, "sim": theirs["id"]})
    fitting = _interface(tenant, organization=subsidiary, sim=theirs["id"])

    assert (mixed.status_code, list(mixed.json())) == (400, ["sim"])
    assert (fitting["organization"], fitting["sim"]) == (subsidiary, theirs["id"])
