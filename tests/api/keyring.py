"""Security keys of a test's meters, and how they lie in the database."""

from typing import Any

import sqlalchemy as sa

from pipelines.db.engine import unit_of_work
from tests.api.callers import METERING, Json, Tenant

KEYS, METERS = f"{METERING}/meter-security-keys", f"{METERING}/meter-devices"
MASTER = "dlms_master_key"
SECRETS = {
    "iec62056_21_password": "PA55word",
    "dlms_global_unicast_encryption_key": "A0A1A2A3A4A5A6A7A8A9AAABACADAEAF",
    "dlms_global_broadcast_encryption_key": "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf",
    "dlms_master_key": "C0C1C2C3C4C5C6C7C8C9CACBCCCDCECFc0c1c2c3c4c5c6c7c8c9cacbcccdcecf",
    "dlms_global_authentication_key": "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF",
}


def made_keys(tenant: Tenant, meter: Json | None = None, **changes: Any) -> Json:
    meter = meter or tenant.meter()
    return dict(tenant.staff.made(KEYS, {"meter": meter["id"], **SECRETS} | changes))


def stored(engine: sa.Engine, identifier: str) -> dict[str, Any]:
    """Return a row of keys as it lies in the database, with the key that its organization's data key is in."""
    with engine.connect() as connection:
        row = connection.execute(
            sa.text(
                "SELECT k.*, o.wrapped_key FROM wattloom.meter_security_key AS k JOIN wattloom.organization_key AS o"
                " ON (o.organization_id, o.version) = (k.organization_id, k.key_version) WHERE k.id = :id"
            ),
            {"id": identifier},
        ).one()
    return dict(row._mapping)


def alter(engine: sa.Engine, identifier: str, **columns: Any) -> None:
    changes = ", ".join(f"{name} = :{name}" for name in columns)
    with unit_of_work(engine) as connection:
        statement = sa.text(f"UPDATE wattloom.meter_security_key SET {changes} WHERE id = :identifier")
        connection.execute(statement, columns | {"identifier": identifier})
