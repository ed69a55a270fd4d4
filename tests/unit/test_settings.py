"""Settings are checked at the start, and documented as they are."""

from pathlib import Path

import pytest

from pipelines.errors import WrongSetting
from pipelines.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WATTLOOM_DATABASE_URL", "mysql://somewhere/x"),
        ("WATTLOOM_JWT_EXPIRATION_S", "soon"),
        ("WATTLOOM_JWT_EXPIRATION_S", "-1"),
        ("WATTLOOM_CLOCK", "2026-03-01T00:00:00"),
        ("WATTLOOM_ALLOW_TOKEN_AUTH", "perhaps"),
        ("WATTLOOM_DEFAULT_METER_TIMEZONE", "Mars/Base"),
        ("WATTLOOM_CARBON_KG_PER_KWH", "NaN"),
        ("WATTLOOM_ENV", "test"),
        ("WATTLOOM_SECRET_KEY", "0123456789abcdef"),
        ("WATTLOOM_DATABSE_URL", "postgresql://x/y"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not_repeated(name: str, value: str) -> None:
    with pytest.raises(WrongSetting, match=name) as raised:
        Settings.from_environment({name: value})

    assert value not in str(raised.value)


def test_the_clock_cannot_be_moved_in_production() -> None:
    key = "k" * 40
    with pytest.raises(WrongSetting, match="WATTLOOM_CLOCK"):
        Settings.from_environment(
            {"WATTLOOM_ENV": "production", "WATTLOOM_SECRET_KEY": key, "WATTLOOM_CLOCK": "2026-01-01T00:00:00Z"}
        )


def test_production_needs_a_key_of_its_own() -> None:
    with pytest.raises(WrongSetting, match="WATTLOOM_SECRET_KEY"):
        Settings.from_environment({"WATTLOOM_ENV": "production"})


def test_an_empty_variable_means_the_default() -> None:
    assert Settings.from_environment({"WATTLOOM_STAGED_DATA_RETENTION_DAYS": ""}).staged_data_retention_days == 30


def test_the_table_in_the_documentation_is_the_one_in_the_code() -> None:
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8").endswith(Settings.table())
