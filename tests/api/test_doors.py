"""Who may come in where, and what a closed door says."""

from pathlib import Path

import pytest
from litestar.testing import TestClient

from api.app import create_app
from pipelines.settings import Settings
from tests.api.conftest import Client


@pytest.mark.parametrize(
    ("path", "authorization", "challenge"),
    [
        ("/v1/metering/meter-devices", None, "Token"),
        ("/v1/metering/meter-devices", "Token wrong", "Token"),
        ("/v1/metering/meter-devices", "JWT wrong", "JWT"),
        ("/sensors", None, "Bearer"),
        ("/sensors", "Bearer wrong", "Bearer"),
    ],
)
def test_without_valid_credentials_the_answer_is_401_and_names_the_scheme(
    anonymous: Client, path: str, authorization: str | None, challenge: str
) -> None:
    headers = {"Authorization": authorization} if authorization else {}

    answer = anonymous.get(path, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == challenge


def test_a_jwt_reads_and_never_writes(reader: Client) -> None:
    assert reader.get("/v1/metering/meter-devices").status_code == 200
    assert reader.post("/v1/metering/meter-devices", json={"name": "m", "protocol": "mbus"}).status_code == 403


def test_an_access_token_opens_the_sensors_and_not_the_meters(bearer: Client) -> None:
    assert bearer.get("/sensors").status_code == 200
    assert bearer.get("/v1/metering/meter-devices").status_code == 401


def test_without_its_database_the_api_answers_503_and_keeps_the_address_to_itself(tmp_path: Path) -> None:
    settings = Settings(database_url="postgresql://someone:hidden@127.0.0.1:9/nothing", home=tmp_path)

    with TestClient(create_app(settings)) as client:
        answer = client.get("/sensors", headers={"Authorization": "Token x"})

    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "127.0.0.1" not in answer.text
    assert "hidden" not in answer.text
