"""Addresses of servers: what is shown never holds a password, and a server that is away is said so."""

import pytest

from pipelines.db.engine import create_engine, unit_of_work, without_password
from pipelines.errors import SourceUnavailable


def test_a_shown_address_has_no_password():
    assert without_password("postgresql://u:p%40ss@h:1/d") == "postgresql://u:***@h:1/d"
    assert without_password("postgresql://h/d") == "postgresql://h/d"


def test_a_server_that_does_not_answer_is_one_clear_error():
    engine = create_engine("postgresql://u:secret@127.0.0.1:1/d")
    with pytest.raises(SourceUnavailable, match="cannot be reached") as caught, unit_of_work(engine):
        pass
    assert "secret" not in str(caught.value)


def test_sessions_run_in_utc_and_may_correct_any_amount_of_compressed_rows(engine):
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW timezone").scalar() == "UTC"
        setting = "timescaledb.max_tuples_decompressed_per_dml_transaction"
        assert connection.exec_driver_sql(f"SHOW {setting}").scalar() == "0"
