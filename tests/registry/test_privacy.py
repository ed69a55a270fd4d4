"""Personal values leave no trace: not in the database's tables or files, not in logs, verdicts, or on any disk."""

import json
import logging
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from pipelines import log
from pipelines.accounts.secrets import master_key
from pipelines.db.engine import unit_of_work
from pipelines.errors import NotFound
from pipelines.registry import imports, pseudonyms, waiting
from pipelines.registry.catalogue import TABLES
from pipelines.registry.contents import Content
from pipelines.registry.importing import Options, read_content
from tests.registry.conftest import Registry

LATITUDE = "0.31628977"


def planted(table: str, n: int) -> dict[str, str]:
    """Return a row whose personal values are markers that stand nowhere else."""
    row = {c.name: c.example for c in TABLES[table].sent}
    for column in TABLES[table].sent:
        if column.is_hashed:
            row[column.name] = f"MARKER-{column.name}-{n}"
        elif column.blurred:
            row[column.name] = LATITUDE
        elif column.required:
            row[column.name] = f"open-{column.name}-{n}"
    return row


def deliveries(table: str) -> list[str]:
    """Return good rows, and every kind of fault beside personal values."""
    row, names = planted(table, 1), [c.name for c in TABLES[table].sent]
    wrong = [
        {name: value for name, value in planted(table, 2).items() if not TABLES[table].by_name[name].required},
        {name: f"MARKER-wrong-{name}" for name in names},
        dict.fromkeys(names, "MARKER-long" * 200),
        {name: {"nested": "MARKER-nested"} for name in names},
        planted(table, 3) | {"Customer Phone 3": "MARKER-custom-phone", "contact": {"first name": "MARKER-deep"}},
        planted(table, 4) | {"gps_latitude": LATITUDE},
        "MARKER-no-row",
    ]
    header = ",".join(names)
    line = ",".join(row.values())
    return [
        json.dumps(row),
        json.dumps([*wrong, row]),
        f"{header}\n{line}\n{line},MARKER-extra\nMARKER-short\n",
        f"{header},mobile phone\n{line},MARKER-mobile\n",
        line + "\n" + line + "\n",
        f'{header}\n{line}\n"MARKER-open{line}\n',
        f"{header},phone,MARKER-twice,MARKER-twice\n{line},1,2,3\n",
        '{"name": "MARKER-broken',
    ]


def everything(url: str) -> str:
    """Return every row of every table as text."""
    with psycopg.connect(url) as connection:
        names = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        texts = []
        for name in names:
            query = sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(*name))
            texts += [row[0] for row in connection.execute(query)]
        texts += [str(row) for row in connection.execute("SELECT * FROM pg_stats")]
    return "\n".join(texts)


def decoded(text: str) -> str:
    """Return a text with every hexadecimal byte string in it made readable."""
    import re  # noqa: PLC0415

    return text + "".join(
        bytes.fromhex(found).decode("latin-1") for found in re.findall(r"\\x((?:[0-9a-f]{2})+)", text)
    )


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record) + repr(record.args))


@pytest.mark.parametrize("mode", ["hmac", "sha256"])
def test_a_planted_personal_value_is_found_nowhere(
    registry: Registry,
    mode: str,
    database_url: str,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    object.__setattr__(registry.settings, "pseudonym_mode", mode)
    kept, root = Kept(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    log.configure("debug")
    root.handlers = [kept]
    shown: list[Any] = []
    try:
        for table in TABLES:
            for text in deliveries(table):
                made = registry.bring(table, text)
                shown += [made, registry.verdicts(made)]
    finally:
        root.handlers, root.level = handlers, level
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        connection.execute("ANALYZE")
        data = Path(str(connection.execute("SHOW data_directory").fetchone()[0]))  # type: ignore[index]

    stored = decoded(everything(database_url))
    said = "\n".join(kept.texts) + json.dumps(shown, default=str)
    files = [
        path for folder in (data, tmp_path) if folder.is_dir() for path in folder.rglob("*") if path.is_file()
    ]
    found = []
    read = 0
    for path in files:
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # the server removed it since it was listed
            continue
        read += 1
        found += [str(path) for marker in (b"MARKER", LATITUDE.encode()) if marker in content]

    assert "open-external_id-1" in stored  # the search would find what stands there
    assert len(registry.rows("customers")) >= 3
    assert read > 10
    for marker in ("MARKER", LATITUDE):
        assert marker not in stored
        assert marker not in said
    assert found == []
    assert list(temporary.iterdir()) == []


def test_rows_that_wait_hold_pseudonyms_already(registry: Registry) -> None:
    with unit_of_work(registry.engine) as connection:
        whose = imports.target(connection, registry.organization, None)
    content = Content(data=json.dumps([planted("meters", n) for n in range(3)]).encode())
    row = read_content(registry.engine, registry.settings, whose, TABLES["meters"], content, Options())

    with unit_of_work(registry.engine) as connection:
        taken = waiting.take(connection, row["id"])

    assert taken is not None
    assert (taken[0], taken[1].height) == (3, 3)
    text = repr(taken[1].to_dicts())
    assert "open-serial_number-2" in text
    assert "MARKER" not in text
    assert LATITUDE not in text
    assert {len(value) for value in taken[1]["customer_phone"]} == {64}


def test_equal_values_have_equal_pseudonyms_within_an_organization_and_others_elsewhere(
    registry: Registry, another: Any
) -> None:
    row = {"external_id": "a", "phone": " +256 1 ", "phone_2": "+256 1", "name": "Zoe\u0308", "address": ""}
    registry.bring("customers", json.dumps(row))
    registry.bring("customers", json.dumps(row | {"external_id": "b", "name": "Zo\u00eb"}))
    stranger = another("Second")
    stranger.bring("customers", json.dumps(row))

    first, second = registry.rows("customers")
    (foreign,) = stranger.rows("customers")
    assert first["phone"] == first["phone_2"] == second["phone"] != foreign["phone"]
    assert first["name"] == second["name"]
    assert first["address"] is None


def test_the_plain_mode_is_sha256_and_the_keyed_one_is_hmac_of_the_unwrapped_key(registry: Registry) -> None:
    import hmac  # noqa: PLC0415

    with unit_of_work(registry.engine) as connection:
        keyed = pseudonyms.hasher(connection, registry.settings, registry.organization)
        plain = pseudonyms.hasher(connection, registry.settings, registry.organization, pseudonyms.PLAIN)

    assert plain.hash("L23FX1236") == "6a099e5c63f0138de7b3dfa7e03c17e551ea23e53c6399a2f0d490d5d87457de"
    assert keyed.key is not None
    assert keyed.hash("L23FX1236") == hmac.new(keyed.key, b"L23FX1236", "sha256").hexdigest()
    assert keyed.key.hex() not in repr(keyed)


def test_a_rotated_key_makes_other_pseudonyms_and_the_version_stands_beside_each(registry: Registry) -> None:
    row = {"external_id": "a", "name": "Ann", "phone": "1"}
    registry.bring("customers", json.dumps(row))
    (before,) = registry.rows("customers")
    with unit_of_work(registry.engine) as connection:
        assert pseudonyms.rotate(connection, registry.settings, registry.organization).version == 2

    registry.bring("customers", json.dumps({"external_id": "a", "phone": "1"}))

    (after,) = registry.rows("customers")
    assert after["name"] == before["name"]
    assert after["phone"] != before["phone"]
    versions = dict(zip([c.name for c in TABLES["customers"].hashed], after["pseudonym_versions"], strict=True))
    assert (versions["name"], versions["phone"]) == (1, 2)


def test_a_destroyed_key_is_gone_for_good_and_the_next_import_has_another(registry: Registry) -> None:
    row = json.dumps({"external_id": "a", "name": "Ann"})
    registry.bring("customers", row)
    (before,) = registry.rows("customers")
    with unit_of_work(registry.engine) as connection:
        assert pseudonyms.destroy(connection, registry.organization, None) == [1]
        wrapped = connection.scalar(sa.text("SELECT wrapped_key FROM wattloom.pseudonym_key"))
        assert wrapped is None
        with pytest.raises(NotFound):
            pseudonyms.hasher(connection, registry.settings, registry.organization, 1)
        with pytest.raises(NotFound):
            pseudonyms.destroy(connection, registry.organization, 1)

    registry.bring("customers", row)

    assert registry.rows("customers")[0]["name"] != before["name"]


def test_the_key_is_stored_wrapped(registry: Registry) -> None:
    with unit_of_work(registry.engine) as connection:
        key = pseudonyms.hasher(connection, registry.settings, registry.organization).key
        wrapped = bytes(connection.scalar(sa.text("SELECT wrapped_key FROM wattloom.pseudonym_key")))

    assert key is not None
    assert key not in wrapped
    assert master_key(registry.settings) not in wrapped
