"""Secrets of meters at rest: AES-256-GCM under a data key per organization, which a master key wraps.

Each secret is bound to its place: organization, meter, field and key version are the associated data, so a
ciphertext that is moved to another meter, organization or column cannot be read.
"""

import secrets
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pipelines import clock
from pipelines.accounts.secrets import master_key
from pipelines.db import tables
from pipelines.db.engine import raw
from pipelines.errors import BrokenContract
from pipelines.settings import Settings

NONCE_BYTES = 12
KEY_BYTES = 32


class Vault:
    """Encrypts and decrypts the secrets of one deployment."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._unwrap = lru_cache(maxsize=1024)(self._unwrapped)

    def seal(
        self, connection: sa.Connection, organization: UUID, meter: UUID, secret: Mapping[str, str]
    ) -> tuple[int, dict[str, bytes]]:
        """Return the key version, and the nonce and ciphertext of each field; makes the first data key."""
        version, key = self._newest(connection, organization)
        return version, {
            field: sealed(key, text.encode(), _place(organization, meter, field, version))
            for field, text in secret.items()
        }

    def open(
        self,
        wrapped_key: bytes,
        organization: UUID,
        meter: UUID,
        version: int,
        sealed: Mapping[str, bytes | None],
    ) -> dict[str, str | None]:
        """Return the secret of each field.

        Raises
        ------
        BrokenContract
            A ciphertext does not belong to its place, or the master key is another one.
        """
        key = self._unwrap(bytes(wrapped_key), organization, version)
        return {
            field: None
            if data is None
            else opened(key, bytes(data), _place(organization, meter, field, version)).decode()
            for field, data in sealed.items()
        }

    def _newest(self, connection: sa.Connection, organization: UUID) -> tuple[int, bytes]:
        key = tables.organization_key
        newest = (
            sa.select(key.c.version, key.c.wrapped_key)
            .where(key.c.organization_id == organization)
            .order_by(key.c.version.desc())
            .limit(1)
        )
        row = connection.execute(newest).one_or_none()
        if row is None:
            wrapped = sealed(master_key(self._settings), secrets.token_bytes(KEY_BYTES), _owner(organization, 1))
            raw(connection).execute(
                "INSERT INTO wattloom.organization_key (organization_id, version, wrapped_key, created_at)"
                " VALUES (%s, 1, %s, %s) ON CONFLICT DO NOTHING",
                (organization, wrapped, clock.now()),
            )
            row = connection.execute(newest).one()  # perhaps that of another process, which was first
        version: int = row.version
        return version, self._unwrap(bytes(row.wrapped_key), organization, version)

    def _unwrapped(self, wrapped: bytes, organization: UUID, version: int) -> bytes:
        return opened(master_key(self._settings), wrapped, _owner(organization, version))


def _owner(organization: UUID, version: int) -> bytes:
    return f"wattloom data key|{organization}|{version}".encode()


def _place(organization: UUID, meter: UUID, field: str, version: int) -> bytes:
    return f"wattloom secret|{organization}|{meter}|{field}|{version}".encode()


def sealed(key: bytes, secret: bytes, place: bytes) -> bytes:
    """Return nonce and ciphertext of a secret that belongs to ``place`` alone."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, secret, place)


def opened(key: bytes, data: bytes, place: bytes) -> bytes:
    """Return a secret that was sealed for ``place``.

    Raises
    ------
    BrokenContract
        It was not, or the key is another one.
    """
    try:
        return AESGCM(key).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], place)
    except (InvalidTag, ValueError):  # a ValueError: cut so short that not even the nonce is left
        raise BrokenContract(
            "a stored secret cannot be decrypted: is WATTLOOM_MASTER_KEY the one it was stored with?"
        ) from None


SECRET_FIELDS = (
    "iec62056_21_password",
    "dlms_global_unicast_encryption_key",
    "dlms_global_broadcast_encryption_key",
    "dlms_master_key",
    "dlms_global_authentication_key",
)


def opened_row(vault: Vault, row: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the secrets of a row of ``meter_security_key`` that was joined with its ``wrapped_key``."""
    return vault.open(
        row["wrapped_key"],
        row["organization_id"],
        row["meter_device_id"],
        row["key_version"],
        {field: row[field] for field in SECRET_FIELDS},
    )
