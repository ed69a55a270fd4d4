"""Deriving and rolling up in steps, in any order of arrival, gives what doing everything at once gives."""

from dataclasses import dataclass
from datetime import timedelta

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.integration.world import T0, World

real = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Kind:
    """A series, how far apart its readings are, and where its grid begins."""

    name: str
    unit: str
    step: int
    offset: int = 0
    digits: int | None = None
    interval_s: int | None = None

    def fields(self):
        return {"register_digits": self.digits, "interval_s": self.interval_s}


PROFILE = Kind("1-0:1.29.0", "kWh", 15, interval_s=900)
REGISTER = Kind("1-0:1.8.0", "kWh", 15, digits=3, interval_s=900)
KINDS = [
    PROFILE,
    REGISTER,
    Kind("1-0:1.29.0", "kWh", 15),
    Kind("1-0:1.8.0", "kWh", 15, digits=3),
    Kind("1-0:1.8.0", "Wh", 120, offset=7, digits=6, interval_s=7200),
    Kind("1-0:1.8.0", "MJ", 60, offset=3, digits=4),
    Kind("1-0:1.29.0", "J", 15, interval_s=900),
    Kind("1-0:1.8.1", "kWh", 15, digits=3, interval_s=900),
    Kind("1-0:1.8.2", "kWh", 15, digits=3, interval_s=900),
    Kind("1-0:2.8.0", "kWh", 30, digits=2, interval_s=1800),
    Kind("1-0:2.29.0", "MJ", 30, offset=5, interval_s=1800),
    Kind("1-0:2.29.0", "kWh", 180, interval_s=10_800),
]
SLOTS = 16


@st.composite
def histories(draw, kinds=KINDS):
    """Return the series, and batches of (series number, slot, value) with gaps, falls and corrections."""
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3, unique=True))
    reading = st.tuples(st.integers(0, len(chosen) - 1), st.integers(0, SLOTS - 1), st.integers(0, 40))
    rising = draw(st.booleans())
    batches = draw(st.lists(st.lists(reading, min_size=1, max_size=14), min_size=1, max_size=5))
    return chosen, [
        [(one, slot, value + 7 * slot if rising else value) for one, slot, value in batch] for batch in batches
    ]


def rows(batch, device, series, chosen):
    return [
        (device, series[one], T0 + (chosen[one].offset + chosen[one].step * slot) * MINUTE, value)
        for one, slot, value in batch
    ]


def assert_order_does_not_matter(world: World, chosen, batches, zone="UTC"):
    series = [world.series(kind.name, kind.unit, **kind.fields()) for kind in chosen]
    device = world.device(*series, zone=zone)
    for batch in batches:
        world.write(rows(batch, device, series, chosen))
        world.work_off()
    in_steps = world.derived(device)
    world.forget_derived(device)
    world.work_off()
    at_once = world.derived(device)
    for name in in_steps:
        assert in_steps[name] == at_once[name], name


@given(history=histories())
@example(history=([KINDS[2], KINDS[9]], [[(1, 4, 0), (1, 5, 0)], [(0, 0, 0), (0, 6, 0)]]))
@example(history=([KINDS[2]], [[(0, 1, 0)], [(0, 0, 0)]]))
@example(
    history=(
        [PROFILE, KINDS[4]],
        [[(0, n, 5) for n in range(16)], [(1, n, n * 60) for n in range(3)], [(0, 8, 1)]],
    )
)
@real
def test_energy_does_not_depend_on_the_order_in_which_readings_arrived(world: World, history):
    assert_order_does_not_matter(world, *history)


@given(
    history=histories(kinds=[PROFILE, REGISTER, KINDS[9]]),
    zone=st.sampled_from(["Asia/Kathmandu", "Europe/London"]),
)
@settings(real, max_examples=10)
def test_local_days_do_not_depend_on_the_order_of_arrival(world: World, history, zone):
    assert_order_does_not_matter(world, *history, zone=zone)


@given(order=st.permutations(range(8)))
@settings(real, max_examples=8)
def test_a_register_read_in_blocks_of_days_that_arrive_in_any_order(world: World, order):
    blocks = [[(0, slot, slot % 97) for slot in range(24 * n, 24 * n + 24)] for n in range(8)]
    assert_order_does_not_matter(world, [Kind("1-0:1.8.0", "kWh", 15, digits=2)], [blocks[n] for n in order])
