"""docker-compose.yml and Dockerfile: they cannot be run here, so what can be known about them is checked."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SETTINGS = {PREFIX + setting.name.upper() for setting in fields(Settings)}
WITH_CHECK = set(SERVICES) - {"migrate"}
FOREIGN = {"database", "broker"}  # images of others, which wait for nobody
SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|FERNET|_KEY$|JWT")
REFERENCE = re.compile(r"\$\{[A-Z_]+:\?\}")


def test_compose_has_every_part_of_the_platform():
    assert set(SERVICES) == {
        "database",
        "migrate",
        "api",
        "worker",
        "broker",
        "mqtt",
        "airflow-api-server",
        "airflow-scheduler",
        "airflow-dag-processor",
        "airflow-triggerer",
    }


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_wattloom_variable_of_a_service_is_a_setting(service):
    given = {name for name in SERVICES[service]["environment"] if name.startswith(PREFIX)}

    assert given <= SETTINGS
    needed = {"WATTLOOM_DATABASE_URL", "WATTLOOM_SECRET_KEY", "WATTLOOM_MASTER_KEY", "WATTLOOM_ENV"}
    assert service in FOREIGN or needed <= given


def test_the_settings_accept_what_compose_gives_them():
    environment = {
        name: REFERENCE.sub("x" * 40, value)
        for name, value in SERVICES["api"]["environment"].items()
        if name.startswith(PREFIX)
    }

    settings = Settings.from_environment(environment)

    assert settings.env == "production"


def test_every_wattloom_variable_of_the_image_is_a_setting():
    given = set(re.findall(rf"\b({PREFIX}[A-Z_]+)=", DOCKERFILE))

    assert given
    assert given <= SETTINGS


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_nothing_is_published_beyond_this_machine(service):
    for port in SERVICES[service].get("ports", []):
        assert isinstance(port, str)
        assert port.startswith("127.0.0.1:")
    assert "network_mode" not in SERVICES[service]


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_secrets_are_required_from_the_environment_and_written_nowhere(service):
    for name, value in SERVICES[service]["environment"].items():
        is_file = name.endswith("_FILE")
        if SECRET_NAME.search(name) and not is_file:
            assert REFERENCE.fullmatch(value), name
        for password in re.findall(r"://[^:/@]+:([^@]*)@", value):
            assert REFERENCE.fullmatch(password), name


@pytest.mark.parametrize("service", sorted(WITH_CHECK))
def test_every_service_that_stays_has_a_health_check_and_comes_back(service):
    assert SERVICES[service]["healthcheck"]["test"]
    assert SERVICES[service]["restart"] == "unless-stopped"


def test_everything_waits_for_one_migration_that_waits_for_the_database():
    assert SERVICES["migrate"]["restart"] == "no"
    assert SERVICES["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    for service in WITH_CHECK - FOREIGN:
        assert SERVICES[service]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_the_image_holds_every_package_of_the_house_and_runs_as_an_ordinary_user():
    for package in ("analytics", "api", "dags", "migrations", "pipelines", "sql"):
        assert f"COPY {package} {package}\n" in DOCKERFILE
    assert "USER wattloom\n" in DOCKERFILE
    assert "--require-hashes" in DOCKERFILE


def test_the_image_holds_what_was_tested_and_no_tool_of_development():
    tested, image = _pins("requirements.lock"), _pins("requirements-image.lock")

    assert "requirements-image.lock" in DOCKERFILE
    assert image.items() <= tested.items()
    assert {"pytest", "mypy", "ruff", "hypothesis"} <= tested.keys() - image.keys()
    assert {"litestar", "apache-airflow", "numba", "setuptools"} <= image.keys()


def _pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9][\w.-]*)==([^\s;\\]+)", (ROOT / lock).read_text(), re.MULTILINE))
