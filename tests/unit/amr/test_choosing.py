"""Which model a meter is, which shard it is read in, and what a log may say of an error."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.amr.contract import Meter
from pipelines.amr.faults import Misconfigured, place
from pipelines.amr.jobs import shards
from pipelines.amr.models import MeterModel, choose_model

MODELS = {
    key: MeterModel(key=key, title=key, manufacturer=maker, models=names, data={})
    for key, maker, names in (("dl230", "Elster", ("DL230", "DL240")), ("ek280", "Elster", ("EK280",)))
}


def meter(maker: str = "", model: str = "") -> Meter:
    return Meter(name="m", protocol="lis-200", manufacturer=maker, model=model)


@pytest.mark.parametrize(
    ("one", "wanted", "default", "chosen"),
    [
        (meter("Elster", "EK280"), "dl230", "ek280", "dl230"),  # what a call names comes first
        (meter("ELSTER", "dl240"), None, "ek280", "dl230"),  # then the type, however it is written
        (meter("Honeywell", "DL230"), None, "ek280", "ek280"),  # of this maker and no other
        (meter(), None, "ek280", "ek280"),
    ],
)
def test_the_model_is_that_of_the_call_else_of_the_type_else_the_default(
    one: Meter, wanted: str | None, default: str, chosen: str
) -> None:
    assert choose_model(MODELS, one, wanted, default).key == chosen


@pytest.mark.parametrize(
    ("one", "wanted", "words"),
    [
        (meter("Elster", "DL230"), "nothing", "model 'nothing' is unknown; known are dl230, ek280"),
        (meter("Elster", "DL230"), "", "model '' is unknown"),
        (meter("Itron", "Corus"), None, "no model file fits Itron Corus; name one as model: dl230, ek280"),
        (meter(), None, "no model file fits no device type"),
    ],
)
def test_where_none_can_be_told_the_known_ones_are_listed(one: Meter, wanted: str | None, words: str) -> None:
    with pytest.raises(Misconfigured, match=words):
        choose_model(MODELS, one, wanted)


NEIGHBOURS = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 9)), max_size=12)


@given(NEIGHBOURS, st.integers(1, 8))
def test_shards_hold_every_meter_once_and_never_part_an_interface(
    neighbours: list[tuple[int, int]], size: int
) -> None:
    counts: dict[int, int] = {}
    for interface, count in neighbours:
        counts[interface] = counts.get(interface, 0) + count
    # As the query returns them: neighbours together, meters without an interface (0) last.
    order = [*sorted(counts.keys() - {0}), *([0] if 0 in counts else [])]
    meters = [(100 * i + n, UUID(int=i) if i else None) for i in order for n in range(counts[i])]

    found = shards(meters, size)

    assert [one for shard in found for one in shard] == [sensor for sensor, _ in meters]
    where = {sensor: place for place, shard in enumerate(found) for sensor in shard}
    for interface in counts.keys() - {0}:
        assert len({where[100 * interface + n] for n in range(counts[interface])}) == 1
    assert all(len(shard) >= size for shard in found[:-1])
    assert all(len(shard) <= size - 1 + max(counts.values()) for shard in found)


def test_of_an_error_the_log_says_type_and_place_and_never_the_text() -> None:
    def unlock(password: str) -> None:
        raise ValueError(f"{password} has a wrong length")

    with pytest.raises(ValueError, match="wrong length") as caught:
        unlock("s3cret")

    said = place(caught.value)
    assert said.startswith("ValueError < test_choosing.py:")
    assert "in unlock < test_choosing.py:" in said
    assert "s3cret" not in said
