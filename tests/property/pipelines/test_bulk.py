"""Binary COPY carries every value exactly, in both directions."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.db.bulk import MAX_SCALE, Ragged, copy_in, copy_out
from pipelines.db.engine import raw, unit_of_work
from pipelines.errors import BrokenContract

RANGES = {
    "int2": (np.int16, -(2**15), 2**15 - 1),
    "int4": (np.int32, -(2**31), 2**31 - 1),
    "int8": (np.int64, -(2**63), 2**63 - 1),
    # What both PostgreSQL and datetime can say.
    "timestamptz": (np.int64, -62_135_596_800_000_000, 253_402_300_799_999_999),
    "date": (np.int64, -719_162, 2_932_896),
}
real = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def rows_of(draw, kinds):
    size = draw(st.integers(0, 40))
    return {
        kind: np.array(
            draw(st.lists(st.integers(*RANGES[kind][1:]), min_size=size, max_size=size)), dtype=RANGES[kind][0]
        )
        for kind in kinds
    }


@given(data=st.data())
@real
def test_integers_instants_and_dates_come_back_as_they_were_sent(engine: sa.Engine, data):
    columns = rows_of(data.draw, RANGES)
    with unit_of_work(engine) as connection:
        names = ", ".join(f'"{kind}_" {kind}' for kind in RANGES)
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE sent (n serial, {names}) ON COMMIT DROP")
        sent = {f"{kind}_": (kind, values) for kind, values in columns.items()}
        count = copy_in(raw(connection), "sent", sent, schema=None)
        quoted = ", ".join(f'"{kind}_"' for kind in RANGES)
        back = copy_out(raw(connection), f"SELECT {quoted} FROM sent ORDER BY n", {kind: kind for kind in RANGES})
        seen = connection.exec_driver_sql("SELECT timestamptz_, date_, int8_ FROM sent ORDER BY n").all()
    assert count == len(columns["int2"])
    for kind, values in columns.items():
        np.testing.assert_array_equal(back[kind], values)
    epoch, day = datetime(1970, 1, 1, tzinfo=UTC), date(1970, 1, 1)
    for row, (at, on, number) in enumerate(seen):
        assert at == epoch + timedelta(microseconds=int(columns["timestamptz"][row]))
        assert on == day + timedelta(days=int(columns["date"][row]))
        assert number == columns["int8"][row]


NUMBER = st.tuples(
    st.one_of(
        st.integers(-(10**18) + 1, 10**18 - 1),
        st.integers(-(2**63) + 1, 2**63 - 1),
        st.sampled_from([0, 1, -1, 9999, 10_000, 10**17, 10**18 - 1]),
    ),
    st.integers(0, MAX_SCALE),
)


@given(numbers=st.lists(NUMBER, max_size=40))
@real
def test_a_mantissa_and_its_scale_become_that_decimal_with_its_trailing_zeros(engine: sa.Engine, numbers):
    mantissa = np.array([m for m, _ in numbers], dtype=np.int64)
    scale = np.array([s for _, s in numbers], dtype=np.int16)
    with unit_of_work(engine) as connection:
        connection.exec_driver_sql("CREATE TEMPORARY TABLE sent (n serial, v numeric) ON COMMIT DROP")
        copy_in(raw(connection), "sent", {"v": ("numeric", (mantissa, scale))}, schema=None)
        back = connection.exec_driver_sql("SELECT v, v::text, scale(v) FROM sent ORDER BY n").all()
    for (m, s), (value, text, stored_scale) in zip(numbers, back, strict=True):
        expected = Decimal(m).scaleb(-s) if s else Decimal(m)
        assert (value, stored_scale) == (expected, s)
        assert text == format(expected, "f")


OF_ANY_LENGTH = {
    "bool[]": st.booleans(),
    "int2[]": st.integers(-(2**15), 2**15 - 1),
    "int8[]": st.integers(-(2**63), 2**63 - 1),
}


@given(data=st.data())
@real
def test_arrays_and_texts_of_any_length_come_back_as_they_were_sent(engine: sa.Engine, data):
    rows = data.draw(
        st.lists(
            st.tuples(
                *(st.lists(values, max_size=4) for values in OF_ANY_LENGTH.values()),
                st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=5),
                st.dictionaries(st.text("abc", max_size=3), st.integers(), max_size=2),
            ),
            max_size=6,
        )
    )
    columns = list(zip(*rows, strict=True)) if rows else [()] * 5
    sent: dict = {"n": ("int4", np.arange(len(rows), dtype=np.int32))}
    for place, kind in enumerate(OF_ANY_LENGTH):
        offsets = np.concatenate(([0], np.cumsum([len(row) for row in columns[place]]))).astype(np.int64)
        values = np.array([value for row in columns[place] for value in row], dtype=object)
        sent[f"c{place}"] = (kind, Ragged(values.astype({"bool[]": np.bool_}.get(kind, np.int64)), offsets))
    sent["t"] = ("varchar", list(columns[3]))
    sent["j"] = ("jsonb", [json.dumps(one) for one in columns[4]])
    sent["last"] = ("int8", np.arange(len(rows)))
    with unit_of_work(engine) as connection:
        connection.exec_driver_sql(
            "CREATE TEMPORARY TABLE sent (n int, c0 bool[], c1 int2[], c2 int8[], t varchar, j jsonb, last int8)"
            " ON COMMIT DROP"
        )
        assert copy_in(raw(connection), "sent", sent, schema=None) == len(rows)
        back = connection.exec_driver_sql("SELECT c0, c1, c2, t, j, last FROM sent ORDER BY n").all()
    assert [tuple(row) for row in back] == [(*row, n) for n, row in enumerate(rows)]


@pytest.mark.parametrize("rows", [1, 65_535, 65_536, 65_537, 131_073])
def test_batches_around_the_block_size_lose_no_row(engine: sa.Engine, rows):
    values = np.arange(rows, dtype=np.int64)
    with unit_of_work(engine) as connection:
        connection.exec_driver_sql("CREATE TEMPORARY TABLE sent (v int8) ON COMMIT DROP")
        copy_in(raw(connection), "sent", {"v": ("int8", values)}, schema=None)
        back = copy_out(raw(connection), "SELECT v FROM sent ORDER BY v", {"v": "int8"})
    np.testing.assert_array_equal(back["v"], values)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT NULL::int8 AS v",
        "SELECT v FROM (VALUES (1::int8), (NULL), (3)) AS t (v)",
        "SELECT v FROM (VALUES (NULL::int8), (NULL), (NULL)) AS t (v)",
        "SELECT NULL::int8 AS v FROM generate_series(1, 7)",
        "SELECT 'text' AS v",
        "SELECT 1.5 AS v",
        "SELECT 1::float8 AS v",
        "SELECT now() AS v",
    ],
)
def test_a_null_or_another_type_is_refused_and_never_misread(engine: sa.Engine, query):
    with unit_of_work(engine) as connection, pytest.raises(BrokenContract):
        copy_out(raw(connection), query, {"v": "int8"})


def test_rows_stay_in_order_when_the_server_uses_workers(engine: sa.Engine):
    with unit_of_work(engine) as connection:
        connection.exec_driver_sql(
            "CREATE TABLE public.shuffled AS SELECT n FROM generate_series(200000, 1, -1) AS n"
        )
        connection.exec_driver_sql("ANALYZE public.shuffled")
    with unit_of_work(engine) as connection:
        for setting, value in (
            ("parallel_setup_cost", 0),
            ("parallel_tuple_cost", 0),
            ("min_parallel_table_scan_size", 0),
            ("max_parallel_workers_per_gather", 4),
        ):
            connection.exec_driver_sql(f"SET LOCAL {setting} = {value}")
        back = copy_out(raw(connection), "SELECT n FROM public.shuffled ORDER BY n", {"n": "int4"})
    np.testing.assert_array_equal(back["n"], np.arange(1, 200_001))


def test_parameters_of_a_bulk_read_are_bound_not_pasted(engine: sa.Engine):
    with unit_of_work(engine) as connection:
        back = copy_out(
            raw(connection),
            "SELECT v::int4 FROM unnest(%(v)s::int4[]) AS t (v) WHERE %(quote)s = $$it's$$ ORDER BY v",
            {"v": "int4"},
            {"v": [3, 1, 2], "quote": "it's"},
        )
    assert back["v"].tolist() == [1, 2, 3]


def test_a_row_the_table_refuses_fails_the_whole_copy(engine: sa.Engine):
    with unit_of_work(engine) as connection:
        connection.exec_driver_sql("CREATE TEMPORARY TABLE checked (v int4 CHECK (v < 3)) ON COMMIT DROP")
        savepoint = connection.begin_nested()
        with pytest.raises(psycopg.errors.CheckViolation):
            copy_in(raw(connection), "checked", {"v": ("int4", np.array([1, 2, 3], dtype=np.int32))}, schema=None)
        savepoint.rollback()
        assert connection.exec_driver_sql("SELECT count(*) FROM checked").scalar() == 0


ARRAYS = {"int4[]": (np.int32, 2**31 - 1), "int8[]": (np.int64, 2**63 - 1)}
words = st.text(st.characters(codec="utf-8", exclude_characters="\x00,"), max_size=20)


@given(data=st.data())
@real
def test_arrays_bytes_and_texts_come_back_as_they_were_sent(engine: sa.Engine, data):
    size, width = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 5))
    arrays = {
        kind: np.array(
            data.draw(st.lists(st.lists(st.integers(-most, most), min_size=width, max_size=width), min_size=size,
                               max_size=size)), dtype=dtype)
        for kind, (dtype, most) in ARRAYS.items()
    }  # fmt: skip
    floats = np.array(data.draw(st.lists(st.floats(width=32, allow_nan=False), min_size=size, max_size=size)))
    texts = data.draw(st.lists(words, min_size=size, max_size=size))
    same, listed = data.draw(words), data.draw(st.lists(words.filter(bool), min_size=1, max_size=4))
    raws = np.frombuffer(data.draw(st.binary(min_size=3 * size, max_size=3 * size)), dtype=np.uint8)
    with unit_of_work(engine) as connection:
        connection.exec_driver_sql(
            "CREATE TEMPORARY TABLE sent (n serial, a int4[], b int8[], c float4[], d bytea, e varchar, f varchar,"
            " g varchar[], h jsonb, i boolean) ON COMMIT DROP"
        )
        columns = {
            "a": ("int4[]", arrays["int4[]"]),
            "e": ("varchar", texts),
            "b": ("int8[]", arrays["int8[]"]),
            "c": ("float4[]", floats[:, None]),
            "d": ("bytea", raws.reshape(size, 3)),
            "f": ("varchar", same),
            "g": ("varchar[]", ",".join(listed)),
            "h": ("jsonb", [f'{{"n": {n}}}' for n in range(size)]),
            "i": ("bool", np.arange(size) % 2 == 0),
        }
        copy_in(raw(connection), "sent", columns, schema=None)
        seen = raw(connection).execute("SELECT a, b, c, d, e, f, g, h, i FROM sent ORDER BY n").fetchall()
    for n, (a, b, c, d, e, f, g, h, i) in enumerate(seen):
        assert (a, b) == (arrays["int4[]"][n].tolist(), arrays["int8[]"][n].tolist())
        assert np.float32(c[0]) == np.float32(floats[n])
        assert bytes(d) == raws.reshape(size, 3)[n].tobytes()
        assert (e, f, g, h, i) == (texts[n], same, listed, {"n": n}, n % 2 == 0)
    assert len(seen) == size
