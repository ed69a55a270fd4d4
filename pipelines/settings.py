"""Settings come from ``WATTLOOM_*`` environment variables, are checked once, and are documented in one table."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pipelines.errors import WrongSetting

PREFIX = "WATTLOOM_"
USED_BY_TESTS = frozenset({"WATTLOOM_TEST_DATABASE_URL", "WATTLOOM_DATA_DIR", "WATTLOOM_JSONATA_SUITE"})


def _text(value: str) -> str:
    return value


def _path(value: str) -> Path:
    return Path(value).expanduser()


def _flag(value: str) -> bool:
    if value.lower() in {"1", "true", "yes", "on"}:
        return True
    if value.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError("expected true or false")


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        number = int(value)
        if not low <= number <= high:
            raise ValueError(f"expected a whole number from {low} to {high}")
        return number

    return parse


def _factor(value: str) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise ValueError("expected a number") from error
    if not number.is_finite() or number <= 0:
        raise ValueError("expected a number above zero")
    return number


def _instant(value: str) -> datetime:
    instant = datetime.fromisoformat(value)
    if instant.tzinfo is None:
        raise ValueError("expected an ISO 8601 instant with an offset, such as 2026-03-03T06:00:00Z")
    return instant


def _database_url(value: str) -> str:
    if urlsplit(value).scheme not in {"postgresql", "postgres"}:
        raise ValueError("expected postgresql://user:password@host:port/database")
    return value


def _weather_url(value: str) -> str:
    parts = urlsplit(value)
    is_plain = not (parts.query or parts.fragment or parts.username or parts.password)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not is_plain:
        raise ValueError(
            "expected an address such as https://archive-api.open-meteo.com/v1/archive, without a query"
        )
    return value.rstrip("/") if parts.path.strip("/") else value.rstrip("/") + "/v1/archive"


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("expected an IANA time zone, such as Europe/Stockholm")
    return value


def _choice(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"expected one of {', '.join(allowed)}")
        return value

    return parse


def _setting(doc: str, parse: Callable[[str], Any], default: Any, *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"doc": doc, "parse": parse})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting with its default; ``Settings.from_environment`` is how a process gets them."""

    home: Path = _setting("Folder of the embedded server, secrets and Airflow", _path, Path(".wattloom"))
    database_url: str | None = _setting(
        "PostgreSQL or TimescaleDB server; empty: the embedded server under the home",
        _database_url,
        None,
        secret=True,
    )
    env: str = _setting("development or production", _choice("development", "production"), "development")
    clock: datetime | None = _setting(
        "Instant at which the process's clock starts (never in production)", _instant, None
    )
    secret_key: str | None = _setting(
        "Signs tokens, at least 32 characters; empty: generated once and kept in the home",
        _text,
        None,
        secret=True,
    )
    master_key: str | None = _setting(
        "Wraps the keys that encrypt meters' secrets, at least 32 characters; empty: generated once, kept in the home",
        _text,
        None,
        secret=True,
    )
    log_level: str = _setting(
        "debug, info, warning or error", _choice("debug", "info", "warning", "error"), "info"
    )
    database_pool: int = _setting("Connections kept per process", _whole(1, 200), 8)
    max_body_mb: int = _setting("Largest request body [MB]", _whole(1, 1024), 32)
    allow_token_auth: bool = _setting("Accept the staff Token", _flag, True)
    jwt_expiration_s: int = _setting("Life of a JWT [s]", _whole(60, 86_400), 1200)
    access_token_s: int = _setting("Life of a Bearer access token [s]", _whole(60, 604_800), 43_200)
    refresh_token_days: int = _setting("Life of a refresh token [days]", _whole(1, 3650), 30)
    default_meter_timezone: str = _setting("Zone of devices whose type has no config", _zone, "UTC")
    allow_unconfigured_devices: bool = _setting(
        "Accept readings of devices without a type or config", _flag, False
    )
    staged_data_retention_days: int = _setting("Staged readings are kept this long [days]", _whole(1, 3650), 30)
    data_retention_days: int | None = _setting(
        "Raw readings and events are kept this long [days]; empty: for ever", _whole(1, 36_500), None
    )
    amr_sessions: int = _setting("Sessions with meters that one process holds at once", _whole(1, 10_000), 200)
    amr_sessions_per_host: int = _setting(
        "Sessions with one host at once, over interfaces that cannot block", _whole(1, 1000), 4
    )
    amr_session_s: int = _setting("Longest session with one meter [s]", _whole(1, 86_400), 300)
    amr_connect_s: int = _setting("Longest wait for a connection [s]", _whole(1, 600), 15)
    amr_silence_s: int = _setting("Longest silence of a meter within a session [s]", _whole(1, 600), 10)
    amr_attempts: int = _setting("Attempts of a job whose line fails", _whole(1, 20), 3)
    amr_retry_s: int = _setting("Wait before the second attempt [s]; it doubles with each", _whole(1, 3600), 30)
    amr_job_retention_days: int = _setting("Finished jobs are kept this long [days]", _whole(1, 3650), 90)
    erp_event_retention_days: int = _setting(
        "Finished events of an ERP are kept this long [days]", _whole(1, 3650), 90
    )
    carbon_kg_per_kwh: Decimal = _setting("Carbon of one kWh [kg CO2]", _factor, Decimal("0.519"))
    tree_kg_per_day: Decimal = _setting("Carbon one tree takes up a day [kg CO2]", _factor, Decimal("0.06034"))
    pseudonym_mode: str = _setting(
        "hmac: pseudonyms are keyed per organization; sha256: plain hashes, which enumeration reverses",
        _choice("hmac", "sha256"),
        "hmac",
    )
    import_folder: Path | None = _setting(
        "Folder whose files are imported, as ORGANIZATION/TABLE/FILE; empty: none", _path, None
    )
    import_retention_days: int = _setting(
        "Verdicts of imports, and files that were imported from the folder, are kept this long [days]",
        _whole(1, 3650),
        90,
    )
    weather_url: str | None = _setting(
        "Archive of hourly temperatures in Open-Meteo's format, asked by cells of 0.1 degrees; empty: nobody is asked",
        _weather_url,
        None,
    )
    mqtt_host: str = _setting("MQTT broker", _text, "127.0.0.1")
    mqtt_port: int | None = _setting("Its port; empty: 8883 with TLS, else 1883", _whole(1, 65_535), None)
    mqtt_client_id: str = _setting("Names our session at the broker; one per subscriber", _text, "wattloom")
    mqtt_username: str | None = _setting("User at the broker; empty: none", _text, None)
    mqtt_password: str | None = _setting("Its password", _text, None, secret=True)
    mqtt_tls: bool = _setting("Speak TLS with the broker; its certificate is always verified", _flag, False)
    mqtt_ca_file: Path | None = _setting("Authorities to trust instead of the system's (PEM)", _path, None)
    mqtt_cert_file: Path | None = _setting("Our own certificate for the broker (PEM)", _path, None)
    mqtt_key_file: Path | None = _setting("Its key (PEM)", _path, None)
    mqtt_protocol: str = _setting("Version of MQTT, 3.1.1 or 5", _choice("3.1.1", "5"), "5")
    mqtt_qos: int = _setting("Highest quality of service that messages come to us with", _whole(0, 2), 1)
    mqtt_shared_group: str | None = _setting(
        "Group of subscribers that share the messages; empty: none", _text, None
    )
    mqtt_batch_size: int = _setting("Most messages of one transaction", _whole(1, 20_000), 1000)
    mqtt_linger_ms: int = _setting("Longest wait for further messages of a batch [ms]", _whole(0, 60_000), 50)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read and check all settings.

        Raises
        ------
        WrongSetting
            A variable is unknown, malformed, or contradicts another; the text names it, never its value.
        """
        env = os.environ if environment is None else environment
        known = {PREFIX + f.name.upper(): f for f in fields(cls)}
        for name in env:
            if name.startswith(PREFIX) and name not in known and name not in USED_BY_TESTS:
                raise WrongSetting(f"{name} is not a setting of Wattloom (see docs/settings.md)")
        values: dict[str, Any] = {}
        for name, spec in known.items():
            text = env.get(name, "").strip()
            if text:
                try:
                    values[spec.name] = spec.metadata["parse"](text)
                except ValueError as error:
                    reason = (
                        str(error) if str(error).startswith("expected") else f"expected {spec.metadata['doc']}"
                    )
                    raise WrongSetting(f"{name} is wrong: {reason}") from None
        settings = cls(**values)
        settings._check()
        return settings

    def _check(self) -> None:
        if self.clock is not None and self.env == "production":
            raise WrongSetting("WATTLOOM_CLOCK is not allowed together with WATTLOOM_ENV=production")
        if self.secret_key is not None and len(self.secret_key) < 32:
            raise WrongSetting("WATTLOOM_SECRET_KEY is too short: at least 32 characters")
        if self.master_key is not None and len(self.master_key) < 32:
            raise WrongSetting("WATTLOOM_MASTER_KEY is too short: at least 32 characters")
        if self.env == "production" and self.secret_key is None:
            raise WrongSetting("WATTLOOM_SECRET_KEY is required with WATTLOOM_ENV=production")
        if self.env == "production" and self.master_key is None:
            raise WrongSetting("WATTLOOM_MASTER_KEY is required with WATTLOOM_ENV=production")

    @classmethod
    def table(cls) -> str:
        """Return the settings as the Markdown table of ``docs/settings.md``."""
        rows = ["| variable | default | meaning |", "|---|---|---|"]
        for spec in fields(cls):
            default = (
                ""
                if spec.default is None
                else str(spec.default).lower()
                if isinstance(spec.default, bool)
                else str(spec.default)
            )
            rows.append(
                f"| `{PREFIX}{spec.name.upper()}` | {f'`{default}`' if default else ''} | {spec.metadata['doc']} |"
            )
        return "\n".join(rows) + "\n"
