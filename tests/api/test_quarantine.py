"""Messages of the broker that could not be stored: an organization sees its own and throws them away."""

from typing import Any

import pytest
import sqlalchemy as sa

from pipelines.db.engine import unit_of_work
from tests.api.callers import Json, Tenant
from tests.api.catalog import READ_ONLY

QUARANTINE = READ_ONLY["quarantined-messages"]
PATH = QUARANTINE.path


def _kept(tenant: Tenant, **changes: Any) -> Json:
    return QUARANTINE.made(tenant, **changes)


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"", ""),
        (b'{"deviceId": "m", "value": 1.50}', '{"deviceId": "m", "value": 1.50}'),
        ("Zähler ✓".encode(), "Zähler ✓"),
        (b"\xff\xfe\x00a", "\ufffd\ufffd\x00a"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"x" * 65_536, "x" * 65_536),
    ],
)
def test_a_payload_is_shown_as_text_whatever_its_bytes_are(tenant: Tenant, payload: bytes, text: str) -> None:
    row = _kept(tenant, payload=payload, size_bytes=100_000, row_number=3)

    assert (row["payload"], row["size_bytes"], row["row_number"]) == (text, 100_000, 3)
    assert tenant.staff.found(f"{PATH}/{row['id']}") == row


def test_a_message_is_thrown_away_once(tenant: Tenant) -> None:
    row, other = _kept(tenant), _kept(tenant)

    assert tenant.reader().delete(f"{PATH}/{row['id']}").status_code == 403
    assert tenant.staff.delete(f"{PATH}/{row['id']}").status_code == 204
    assert tenant.staff.delete(f"{PATH}/{row['id']}").status_code == 404
    assert tenant.staff.found(f"{PATH}/{other['id']}") == other


def test_messages_are_found_by_their_code_and_by_when_they_came(fresh: Tenant) -> None:
    rows = [
        _kept(fresh, code=code, received_at=f"2026-03-01T0{hour}:00:00Z")["id"]
        for hour, code in enumerate(["not_json", "foreign_device", "not_json", "too_large"])
    ]

    def found(**query: str) -> list[int]:
        return [row["id"] for row in fresh.staff.found(PATH, params=query)["results"]]

    assert found(code="not_json") == [rows[0], rows[2]]
    assert found(code="not") == []
    assert found(start_time="2026-03-01T01:00:00Z", end_time="2026-03-01T04:00:00+01:00") == rows[1:3]
    assert found(code="not_json", end_time="2026-03-01T02:00:00Z") == rows[:1]


def test_what_belongs_to_no_organization_or_to_another_is_seen_by_nobody_here(
    tenant: Tenant, stranger: Tenant, engine: sa.Engine
) -> None:
    theirs, nobodys = _kept(stranger), _kept(tenant)
    with unit_of_work(engine) as connection:
        lost = sa.text("UPDATE wattloom.quarantined_message SET organization_id = NULL WHERE id = :id")
        connection.execute(lost, {"id": nobodys["id"]})

    for caller in (tenant.staff, tenant.reader()):
        for row in (theirs, nobodys):
            assert caller.get(f"{PATH}/{row['id']}").status_code == 404
            assert row["id"] not in [one["id"] for one in caller.found(PATH, params={"limit": 1000})["results"]]
    for row in (theirs, nobodys):
        assert tenant.staff.delete(f"{PATH}/{row['id']}").status_code == 404
    assert stranger.staff.found(f"{PATH}/{theirs['id']}") == theirs
