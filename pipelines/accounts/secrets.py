"""Secrets: random tokens kept as SHA-256, passwords as argon2id, and the key that signs what we issue.

A token has 256 random bits, so a plain digest cannot be searched; a password has not, so it is stretched.
"""

import hashlib
import hmac
import os
import secrets
from functools import lru_cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from pipelines.settings import Settings

_HASHER = PasswordHasher()


def new_secret() -> str:
    """Return a fresh secret of 256 bits, in 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """Return what is stored of a random secret."""
    return hashlib.sha256(secret.encode()).digest()


def same(left: bytes, right: bytes) -> bool:
    """Compare two digests in constant time."""
    return hmac.compare_digest(left, right)


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password."""
    return _HASHER.hash(password)


@lru_cache(maxsize=1)
def _nobody() -> str:
    return hash_password(new_secret())


def password_matches(password: str, stored: str | None) -> bool:
    """Check a password; takes as long for an unknown user (``stored`` None) as for a known one."""
    try:
        return _HASHER.verify(stored or _nobody(), password) and stored is not None
    except (Argon2Error, InvalidHashError):
        return False


def signing_key(settings: Settings) -> str:
    """Return the key that signs tokens: the setting, else one generated once and kept in the home (0600)."""
    if settings.secret_key is not None:
        return settings.secret_key
    return _kept_secret(settings.home / "secret.key")


def master_key(settings: Settings) -> bytes:
    """Return the 32 bytes that wrap the data keys of meters' secrets: the setting, else one kept in the home (0600)."""
    text = settings.master_key or _kept_secret(settings.home / "master.key")
    return hashlib.sha256(b"wattloom master key\0" + text.encode()).digest()


def _kept_secret(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(new_secret())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # never replaces a key that another process put there meanwhile
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="ascii").strip()
