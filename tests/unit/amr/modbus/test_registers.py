import struct
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.amr.faults import BadData
from pipelines.amr.models import MeterModel
from pipelines.amr.protocols.modbus.registers import DeviceMap, Register, batches, map_of

MANY = settings(max_examples=2000, deadline=None)
TYPES = ["u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64", "bcd16", "bcd32", "bcd64"]


def register(kind: str, address: int = 0, *, table: str = "holding", **facts: Any) -> Register:
    return Register(series=f"s{address}", address=address, table=table, type=kind, **facts)


@pytest.mark.parametrize(
    ("kind", "words", "facts", "value"),
    [
        ("u16", [0xFFFF], {}, "65535"),
        ("s16", [0xFFFF], {}, "-1"),
        ("u32", [0x0001, 0x0002], {}, "65538"),
        ("u32", [0x0002, 0x0001], {"word_order": "little"}, "65538"),
        ("s32", [0xFFC7, 0xFFFF], {"word_order": "little", "scaler": Decimal("0.1")}, "-5.7"),
        ("u64", [0x0000, 0x001C, 0xBE99, 0x1A14], {}, "123456789012"),
        ("u64", [0x0DE0, 0xB6B3, 0xA763, 0xFFFF], {"scaler": Decimal("0.01")}, "9999999999999999.99"),
        ("s64", [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFE], {}, "-2"),
        ("f32", [0x4366, 0x3333], {}, "230.2"),
        ("f32", [0x3333, 0x4366], {"word_order": "little"}, "230.2"),
        ("f32", [0x7F7F, 0xFFFF], {"scaler": Decimal("1E-25")}, "34028235000000"),
        ("f64", [0x3FB9, 0x9999, 0x9999, 0x999A], {}, "0.1"),
        ("bcd32", [0x1234, 0x5678], {"scaler": Decimal("0.001")}, "12345.678"),
    ],
)
def test_words_are_exactly_the_number_of_their_type(
    kind: str, words: list[int], facts: dict[str, object], value: str
) -> None:
    assert register(kind, **facts).value(words) == Decimal(value)


def test_a_value_that_the_device_marks_as_absent_is_none() -> None:
    assert register("u32", absent=("FFFFFFFF",)).value([0xFFFF, 0xFFFF]) is None
    assert register("s32", absent=("7FFFFFFF",), word_order="little").value([0xFFFF, 0x7FFF]) is None
    assert register("f32").value([0x7FC0, 0]) is None
    assert register("f32").value([0xFF80, 0]) is None
    assert register("f64").value([0x7FF0, 0, 0, 0]) is None


def test_digits_that_are_none_and_numbers_too_long_are_bad_data() -> None:
    with pytest.raises(BadData, match="decimal digits"):
        register("bcd16").value([0x12AB])
    with pytest.raises(BadData, match="digits"):
        register("u64").value([0xFFFF] * 4)
    with pytest.raises(BadData, match="digits"):
        register("f32").value([0x7F7F, 0xFFFF])


def test_a_float_next_to_zero_keeps_twelve_decimals() -> None:
    assert register("f32").value([0x0000, 0x0001]) == 0


@MANY
@given(st.floats(width=32, min_value=-(2.0**59), max_value=2.0**59))
def test_a_float32_is_the_shortest_decimal_that_comes_back(number: float) -> None:
    data = struct.pack(">f", number)
    value = register("f32").value(list(struct.unpack(">HH", data)))
    assert value is not None
    if abs(number) > 1e-3:
        assert struct.pack(">f", float(value)) == data


@MANY
@given(st.sampled_from(TYPES), st.binary(min_size=8, max_size=8))
def test_any_words_are_a_number_nothing_or_bad_data(kind: str, data: bytes) -> None:
    one = register(kind)
    words = list(struct.unpack(">4H", data))
    try:
        value = one.value(words[: one.words])
    except BadData:
        return
    assert value is None or (value.is_finite() and len(value.as_tuple().digits) <= 18)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.sampled_from(TYPES), st.sampled_from(["holding", "input"])), max_size=30
    ),
    st.integers(4, 125),
    st.integers(0, 40),
)
def test_batches_read_every_register_once_within_the_limits(
    rows: list[tuple[int, str, str]], max_words: int, max_gap: int
) -> None:
    wanted = [register(kind, address, table=table) for address, kind, table in rows]
    device = DeviceMap(unit=1, max_words=max_words, max_gap=max_gap, registers=tuple(wanted))
    found = batches(device, wanted)
    assert sorted(map(id, (one for _, members in found for one in members))) == sorted(map(id, wanted))
    for block, members in found:
        assert block.count <= max_words
        reached = block.address
        for one in members:
            assert one.table == block.table
            assert one.address - reached <= max_gap
            assert block.address <= one.address <= one.address + one.words <= block.address + block.count
            reached = max(reached, one.address + one.words)


def test_neighbours_are_one_request_and_a_gap_too_wide_is_two() -> None:
    wanted = [register("u16", 0), register("u32", 1), register("u16", 5), register("u16", 9)]
    device = DeviceMap(unit=1, max_words=125, max_gap=2, registers=tuple(wanted))
    assert [(block.address, block.count) for block, _ in batches(device, wanted)] == [(0, 6), (9, 1)]


@pytest.mark.parametrize(
    "fault", [{"type": "u24"}, {"table": "coils"}, {"word_order": "middle"}, {"max_words": 3}, {"max_words": 126}]
)
def test_a_model_file_with_a_mistake_is_refused(fault: dict[str, object]) -> None:
    row = {"address": 0, "type": "u64", "series": "s", "table": "holding"}
    data: dict[str, object] = {"registers": [row]}
    (data if "max_words" in fault else row).update(fault)
    model = MeterModel(key="k", title="t", manufacturer="m", models=(), data=data)
    with pytest.raises((ValueError, KeyError)):
        map_of(model)
