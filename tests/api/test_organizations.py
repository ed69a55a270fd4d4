"""Organizations and memberships: what staff may see and change."""

from uuid import uuid4

import sqlalchemy as sa

from tests.api.callers import METERING, Tenant

ORGANIZATIONS, MEMBERSHIPS = "/v1/organizations", "/v1/organizations/memberships"


def test_staff_sees_its_own_organization_and_those_it_created(fresh: Tenant, stranger: Tenant) -> None:
    created = fresh.staff.made(ORGANIZATIONS, {"name": "Subsidiary"})

    seen = fresh.staff.found(ORGANIZATIONS)

    assert {row["id"] for row in seen["results"]} == {fresh.id, created["id"]}
    assert created["is_active"] is True
    assert created["members"] == []
    for address in (f"{ORGANIZATIONS}/{stranger.id}", f"{ORGANIZATIONS}/{uuid4()}"):
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            assert fresh.staff.request(method, address, json={"name": "Taken over"}).status_code == 404
    assert (
        stranger.staff.found(f"{ORGANIZATIONS}/{stranger.id}")["name"]
        == stranger.credentials["organization"]["name"]
    )


def test_the_users_of_init_are_members(fresh: Tenant) -> None:
    own = fresh.staff.found(f"{ORGANIZATIONS}/{fresh.id}")
    memberships = fresh.staff.found(MEMBERSHIPS)

    assert memberships["count"] == 2
    assert {row["user"] for row in memberships["results"]} == set(own["members"])
    assert {row["organization"] for row in memberships["results"]} == {fresh.id}


def test_staff_edits_a_created_organization_and_all_that_is_in_it(fresh: Tenant) -> None:
    created = fresh.staff.made(ORGANIZATIONS, {"name": "Subsidiary"})
    address = f"{ORGANIZATIONS}/{created['id']}"

    renamed = fresh.staff.patch(address, json={"name": "Branch", "is_active": False})
    meter = fresh.meter(organization=created["id"])
    series = fresh.series(organization=created["id"])

    assert (renamed.json()["name"], renamed.json()["is_active"]) == ("Branch", False)
    assert fresh.staff.found(f"{METERING}/meter-devices/{meter['id']}")["organization"] == created["id"]
    assert fresh.staff.found(f"{METERING}/meter-reading-series/{series['id']}")["organization"] == created["id"]
    assert fresh.reader().get(f"{METERING}/meter-devices/{meter['id']}").status_code == 404
    assert fresh.staff.delete(address).status_code == 204
    assert fresh.staff.get(f"{METERING}/meter-devices/{meter['id']}").status_code == 404
    assert fresh.staff.get(f"{METERING}/meter-reading-series/{series['id']}").status_code == 404


def test_a_row_never_points_from_one_organization_into_another_of_the_same_staff(fresh: Tenant) -> None:
    created = fresh.staff.made(ORGANIZATIONS, {"name": "Subsidiary"})
    home = fresh.home()
    elsewhere = fresh.series(organization=created["id"])

    for path, body in [
        (
            "meter-devices",
            {"name": "m", "protocol": "mbus", "organization": created["id"], "type": home.type["id"]},
        ),
        ("meter-device-configs", {"name": "c", "organization": fresh.id, "series": [elsewhere["id"]]}),
        ("meter-readings", home.reading(series=elsewhere["id"])),
        ("meter-readings", home.reading(organization=created["id"])),
    ]:
        assert fresh.staff.post(f"{METERING}/{path}", json=body).status_code == 400, path


def test_deleting_the_own_organization_ends_every_access_and_leaves_nothing(
    fresh: Tenant, engine: sa.Engine
) -> None:
    home = fresh.home()
    fresh.deliver(home.named(value="1"))
    fresh.deliver([home.named(value="2"), home.named(meter_device_name="unknown")])
    reader, bearer = fresh.reader(), fresh.bearer()

    assert fresh.staff.delete(f"{ORGANIZATIONS}/{fresh.id}").status_code == 204

    assert fresh.staff.get(ORGANIZATIONS).status_code == 401
    assert reader.get(ORGANIZATIONS).status_code == 401
    assert bearer.get("/sensors").status_code == 401
    with engine.connect() as connection:
        for table in ("meter_reading", "meter_reading_version", "reading_channel", "reading_change"):
            query = sa.text(f"SELECT count(*) FROM wattloom.{table} WHERE device_id = :sensor")
            assert connection.scalar(query, {"sensor": home.meter["sensor_id"]}) == 0, table
        for table in ("meter_device", "meter_reading_series", "staged_meter_reading", "organization_member"):
            query = sa.text(f"SELECT count(*) FROM wattloom.{table} WHERE organization_id = :id")
            assert connection.scalar(query, {"id": fresh.id}) == 0, table


def test_a_membership_is_made_read_and_ended(fresh: Tenant) -> None:
    user = fresh.staff.found(MEMBERSHIPS)["results"][0]["user"]
    created = fresh.staff.made(ORGANIZATIONS, {"name": "Subsidiary"})

    membership = fresh.staff.made(MEMBERSHIPS, {"organization": created["id"], "user": user})
    address = f"{MEMBERSHIPS}/{membership['id']}"

    assert isinstance(membership["id"], int)
    assert fresh.staff.found(address) == membership
    assert fresh.staff.found(f"{ORGANIZATIONS}/{created['id']}")["members"] == [user]
    assert fresh.staff.put(address, json={"organization": created["id"], "user": user}).status_code == 200
    assert fresh.staff.delete(address).status_code == 204
    assert fresh.staff.found(f"{ORGANIZATIONS}/{created['id']}")["members"] == []


def test_a_membership_is_unique(fresh: Tenant) -> None:
    row = fresh.staff.found(MEMBERSHIPS)["results"][0]

    answer = fresh.staff.post(MEMBERSHIPS, json={"organization": row["organization"], "user": row["user"]})

    assert (answer.status_code, list(answer.json())) == (400, ["non_field_errors"])


def test_foreign_users_and_organizations_cannot_be_joined(fresh: Tenant, stranger: Tenant) -> None:
    mine = fresh.staff.found(MEMBERSHIPS)["results"][0]
    theirs = stranger.staff.found(MEMBERSHIPS)["results"][0]

    for body, field in [
        ({"organization": fresh.id, "user": theirs["user"]}, "user"),
        ({"organization": stranger.id, "user": mine["user"]}, "organization"),
        ({"organization": fresh.id, "user": str(uuid4())}, "user"),
    ]:
        answer = fresh.staff.post(MEMBERSHIPS, json=body)
        assert (answer.status_code, list(answer.json())) == (400, [field])
    assert fresh.staff.get(f"{MEMBERSHIPS}/{theirs['id']}").status_code == 404
    assert fresh.staff.patch(f"{MEMBERSHIPS}/{mine['id']}", json={"user": theirs["user"]}).status_code == 400
    assert stranger.staff.found(MEMBERSHIPS)["count"] == 2


def test_the_jwt_of_a_user_shows_its_own_organization_only(fresh: Tenant) -> None:
    fresh.staff.made(ORGANIZATIONS, {"name": "Subsidiary"})

    seen = fresh.reader().found(ORGANIZATIONS)

    assert [row["id"] for row in seen["results"]] == [fresh.id]
