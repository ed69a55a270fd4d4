"""Pseudonyms: keyed hashes of personal values, under a key per organization that can be replaced and destroyed.

A plain hash of a phone number is reversed by trying all numbers, so the hash is HMAC-SHA-256 (RFC 2104) under 32
random bytes that the master key wraps. A hash cannot be re-keyed without the value it was made of: after a rotation
a value has another pseudonym, and the version of the key stands beside the row. Destroying a key ends what ties its
pseudonyms to people: nobody can make them again.
"""

import hashlib
import secrets
import unicodedata
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from uuid import UUID

import sqlalchemy as sa

from pipelines import clock
from pipelines.accounts.secrets import master_key
from pipelines.db import tables
from pipelines.errors import NotFound
from pipelines.metering.vault import KEY_BYTES, opened, sealed
from pipelines.settings import Settings

PLAIN = 0  # the version of hashes without a key
_BLOCK = 64
_MILLI = Decimal("0.001")


def normalised(text: str) -> str:
    """Return what is hashed: the text without surrounding blanks, in Unicode's composed form."""
    return text.strip() if text.isascii() else unicodedata.normalize("NFC", text.strip())


def blurred(value: Decimal) -> Decimal:
    """Return a coordinate rounded half even to 3 decimals, about 100 m."""
    return value.quantize(_MILLI, ROUND_HALF_EVEN)


@dataclass(frozen=True, repr=False)
class Hasher:
    """Makes the pseudonyms of one version of a key: 64 lower-case hexadecimal characters."""

    version: int
    key: bytes | None

    def hashes(self, texts: list[str | None]) -> list[str | None]:
        """Return the pseudonym of each text; of none and of an empty one, none."""
        if self.key is None:
            return [hashlib.sha256(normalised(t).encode()).hexdigest() if t else None for t in texts]
        padded = self.key.ljust(_BLOCK, b"\0")  # 32 bytes, so never longer than a block
        inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
        outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))
        result: list[str | None] = []
        for text in texts:
            if not text:
                result.append(None)
                continue
            first, second = inner.copy(), outer.copy()
            first.update(normalised(text).encode())
            second.update(first.digest())
            result.append(second.hexdigest())
        return result

    def hash(self, text: str) -> str | None:
        """Return the pseudonym of one text."""
        return self.hashes([text.strip()])[0]


def hasher(
    connection: sa.Connection, settings: Settings, organization: UUID, version: int | None = None
) -> Hasher:
    """Return what makes an organization's pseudonyms, with its newest key (made where there is none) or an older one.

    Raises
    ------
    NotFound
        The asked version was destroyed, or never was.
    """
    if version == PLAIN or (version is None and settings.pseudonym_mode == "sha256"):
        return Hasher(PLAIN, None)
    key = tables.pseudonym_key
    query = sa.select(key.c.version, key.c.wrapped_key).where(
        key.c.organization_id == organization, key.c.destroyed_at.is_(None)
    )
    if version is not None:
        query = query.where(key.c.version == version)
    newest = query.order_by(key.c.version.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    if row is None and version is not None:
        raise NotFound(f"version {version} of the organization's pseudonym key does not exist any more")
    if row is None:
        _lock(connection, organization)
        row = connection.execute(newest).one_or_none()  # perhaps another process made it meanwhile
    if row is None:
        return rotate(connection, settings, organization)
    wrapping = master_key(settings)
    return Hasher(row.version, opened(wrapping, bytes(row.wrapped_key), _place(organization, row.version)))


def rotate(connection: sa.Connection, settings: Settings, organization: UUID) -> Hasher:
    """Make the next version of an organization's key; imports from now on use it."""
    _lock(connection, organization)
    key = tables.pseudonym_key
    newest = sa.select(sa.func.coalesce(sa.func.max(key.c.version), PLAIN)).where(
        key.c.organization_id == organization
    )
    version = int(connection.execute(newest).scalar_one()) + 1
    fresh = secrets.token_bytes(KEY_BYTES)
    wrapped = sealed(master_key(settings), fresh, _place(organization, version))
    connection.execute(
        sa.insert(key).values(
            organization_id=organization, version=version, wrapped_key=wrapped, created_at=clock.now()
        )
    )
    return Hasher(version, fresh)


def destroy(connection: sa.Connection, organization: UUID, version: int | None) -> list[int]:
    """Destroy one version of an organization's key, or all; return the versions destroyed.

    Raises
    ------
    NotFound
        There is no such key, or it was destroyed before.
    """
    _lock(connection, organization)
    key = tables.pseudonym_key
    change = sa.update(key).where(key.c.organization_id == organization, key.c.destroyed_at.is_(None))
    if version is not None:
        change = change.where(key.c.version == version)
    gone = change.values(wrapped_key=None, destroyed_at=clock.now()).returning(key.c.version)
    versions = sorted(connection.scalars(gone))
    if not versions:
        raise NotFound("there is no such pseudonym key, or it was destroyed before")
    return versions


def _lock(connection: sa.Connection, organization: UUID) -> None:
    statement = sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"pseudonyms {organization}", 0)))
    connection.execute(statement)


def _place(organization: UUID, version: int) -> bytes:
    return f"wattloom pseudonym key|{organization}|{version}".encode()
