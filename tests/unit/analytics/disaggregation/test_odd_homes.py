"""Homes as they come: odd spacings, spikes, contradictions, months of every length. Nothing breaks the sums."""

from dataclasses import replace

import numpy as np
import pytest

from analytics.disaggregation.batch import CLASSES
from analytics.disaggregation.households import household_of
from analytics.disaggregation.model import disaggregate
from analytics.errors import BrokenContractError
from tests.unit.analytics.disaggregation.homes import batch_of, home

EV, HEATING, COOKING = (CLASSES.index(name) for name in ("electric_vehicle", "heating", "cooking"))
EVERYTHING = [
    {"key": "FRIDGE", "type": "FRIDGE_AND_FREEZER", "amount": 1},
    {"key": "WASHING_MACHINE", "amount": 1},
    {"key": "ELECTRIC_STOVE", "type": "INDUCTION", "amount": 1},
    {"key": "ELECTRIC_HEATING", "type": "RADIATOR", "amount": 3},
    {"key": "ELECTRIC_BOILER", "usage_type": "WATER_HEATING", "water_tank": True, "amount": 1},
    {"key": "AC", "type": "WINDOW", "usage_type": "BOTH", "amount": 1},
    {"key": "ELECTRIC_VEHICLE", "type": "CAR", "wattages": [7400], "amount": 1},
]


def lived_in(year=2023, month=9, *, seed=1, **options):
    """Give a home with a fridge's and people's ups and downs."""
    subject = home(year, month, power_w=80.0, **options)
    rng = np.random.default_rng(seed)
    hours = subject.duration_s / 3600
    awake = np.sin(np.pi * ((subject.start_us // 3_600_000_000 + 18) % 24) / 24) ** 2
    power_w = 60 * rng.random(hours.size) + awake * rng.gamma(0.5, 600, hours.size)
    return replace(subject, energy_uwh=subject.energy_uwh + np.rint(power_w * hours * 1e6).astype(np.int64))


def check(subject, result):
    """Check what always holds of one home."""
    total = int(result.total_mwh.sum())
    month = result.parts_mwh.sum(axis=0)
    assert (result.parts_mwh >= 0).all()
    assert result.parts_mwh.sum(axis=1).tolist() == result.total_mwh.tolist()
    target = subject.edges_us[subject.n_context_days :]
    inside = (subject.start_us >= target[0]) & (subject.start_us < target[-1])
    assert abs(total * 1000 - int(subject.energy_uwh[inside].sum())) <= 500
    assert np.isfinite(result.confidence).all()
    assert ((result.confidence >= 0) & (result.confidence <= 1)).all()
    assert (result.lower_mwh[0] >= 0).all()
    assert (result.lower_mwh[0] <= month).all()
    assert (month <= result.upper_mwh[0]).all()
    assert (result.upper_mwh[0] <= total).all()


def spiked(subject):
    energy_uwh = subject.energy_uwh.copy()
    energy_uwh[::97] = np.rint(1e6 * subject.duration_s[::97] / 3600 * 1e6)
    return replace(subject, energy_uwh=energy_uwh)


def with_gaps(subject):
    kept = np.random.default_rng(5).random(subject.start_us.size) < 0.4
    names = ("start_us", "duration_s", "energy_uwh", "is_valid")
    return replace(subject, **{name: getattr(subject, name)[kept] for name in names})


ODD = {
    "spikes of 10^6 W": spiked(lived_in(interval_s=900)),
    "7 seconds": lived_in(interval_s=7, n_days=2),
    "61 minutes": lived_in(interval_s=3660),
    "a day": lived_in(interval_s=86_400),
    "more gaps than data": with_gaps(lived_in()),
    "one day": lived_in(n_days=1),
    "spring": lived_in(2023, 3),
    "autumn": lived_in(2023, 10),
    "leap day": lived_in(2024, 2),
    "nothing valid": replace(lived_in(), is_valid=np.zeros(30 * 48, dtype=np.bool_)),
    "zeros": home(2023, 9, power_w=0.0),
    "constant": home(2023, 9, power_w=3000.0),
    "a microwatt-hour": replace(home(2023, 9), energy_uwh=np.ones(30 * 48, dtype=np.int64)),
}


@pytest.mark.parametrize("subject", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("appliances", [None, [], EVERYTHING], ids=["no list", "empty list", "everything"])
def test_whatever_a_home_is_like_its_parts_add_up(subject, appliances):
    known = replace(subject, household=household_of({"power_generator_source": "SOLAR"}, appliances))

    result = disaggregate(batch_of(known))

    check(known, result)
    if appliances == []:
        owned = {"lights", "others", "standby"}
        assert not result.parts_mwh[:, [name not in owned for name in CLASSES]].any()


def test_contradicting_metadata_gives_a_result_all_the_same():
    property_ = {
        "people_amount": 0,
        "people_amount_in_day_time": 7,
        "home_size": 1e-9,
        "home_type": "FLAT",
        "bedroom_amount": 400,
    }
    appliances = [
        {"key": "ELECTRIC_VEHICLE", "type": "CAR", "wattages": [0, 10**9], "amount": 2},
        {"key": "FRIDGE", "type": "FRIDGE", "amount": 10**6},
        {"key": "ELECTRIC_BOILER", "usage_type": "BOTH", "water_tank": True, "amount": 10**6},
    ]
    subject = replace(lived_in(), household=household_of(property_, appliances))
    check(subject, disaggregate(batch_of(subject)))


def test_a_home_at_any_interval_gives_much_the_same_month():
    fine = lived_in(interval_s=60)
    shares = []
    for minutes in (1, 15, 30, 60):
        subject = home(2023, 9, interval_s=60 * minutes)
        energy_uwh = fine.energy_uwh.reshape(-1, minutes).sum(axis=1)
        result = disaggregate(batch_of(replace(subject, energy_uwh=energy_uwh)))
        shares.append(result.parts_mwh.sum(axis=0) / result.total_mwh.sum())
    for coarse in shares[1:]:
        assert np.abs(coarse - shares[0]).sum() / 2 < 0.25, "a quarter of the energy at most is given elsewhere"


def test_the_result_is_the_same_for_any_number_of_threads():
    batch = batch_of(*(lived_in(seed=seed) for seed in range(5)))
    one, three, many = (disaggregate(batch, threads=threads) for threads in (1, 3, 8))
    for other in (three, many):
        assert other.parts_mwh.tolist() == one.parts_mwh.tolist()
        assert other.confidence.tolist() == one.confidence.tolist()
        assert other.upper_mwh.tolist() == one.upper_mwh.tolist()
        assert other.cycles.energy_mwh.tolist() == one.cycles.energy_mwh.tolist()


def test_less_than_one_thread_is_our_bug():
    with pytest.raises(BrokenContractError, match="thread"):
        disaggregate(batch_of(home(2023, 9)), threads=0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"start_us": lambda a: a[::-1].copy()}, "no later"),
        ({"start_us": lambda a: np.repeat(a[::2], 2)}, "no later"),
        ({"duration_s": lambda a: a * 0}, "less than a second"),
        ({"energy_uwh": lambda a: -a}, "negative"),
    ],
)
def test_intervals_that_are_our_bug_are_said_with_their_home(change, said):
    subject = home(2023, 9)
    wrong = replace(subject, **{name: of(getattr(subject, name)) for name, of in change.items()})
    with pytest.raises(BrokenContractError, match=f"home 1 of the batch.*{said}"):
        disaggregate(batch_of(subject, wrong))


def test_a_home_that_generates_is_less_sure():
    subject = lived_in()
    generates = replace(subject, household=household_of({"power_generator_source": "SOLAR"}))
    sure, unsure = disaggregate(batch_of(subject)), disaggregate(batch_of(generates))
    assert unsure.parts_mwh.tolist() == sure.parts_mwh.tolist()
    assert unsure.confidence == pytest.approx(sure.confidence / 2)


def test_heat_goes_to_what_heats():
    subject = home(2024, 1, power_w=1500.0)
    heated = replace(subject, household=household_of({}, EVERYTHING[3:4]))
    result = disaggregate(batch_of(heated, celsius=0.0))
    assert not result.parts_mwh[:, COOKING].any()
    assert not result.parts_mwh[:, EV].any()


def charging(subject, power_w=7000.0):
    """Add a charge over each second midnight, from 22:40 to 01:10."""
    start_s = (subject.start_us - subject.edges_us[0]) // 1_000_000
    share = np.zeros(start_s.size)
    for day in range(1, 29, 2):
        low, high = day * 86_400 - 4_800, day * 86_400 + 4_200
        share += np.clip(np.minimum(start_s + subject.duration_s, high) - np.maximum(start_s, low), 0, None)
    return replace(subject, energy_uwh=subject.energy_uwh + np.rint(power_w * share / 0.0036).astype(np.int64))


@pytest.mark.parametrize("interval_s", [60, 900, 1800, 3660])
def test_the_pieces_of_charges_add_up_to_the_vehicle_on_every_day(interval_s):
    subject = charging(replace(lived_in(interval_s=interval_s), household=household_of({}, EVERYTHING)))

    result = disaggregate(batch_of(subject))

    check(subject, result)
    cycles = result.cycles
    of_vehicle = cycles.appliance == EV
    assert of_vehicle.any()
    day = np.searchsorted(subject.edges_us, cycles.start_us, side="right") - 1
    assert (cycles.end_us <= subject.edges_us[day + 1]).all()
    assert (cycles.start_us < cycles.end_us).all()
    for k in np.unique(cycles.appliance):
        chosen = cycles.appliance == k
        sums = np.bincount(day[chosen], weights=cycles.energy_mwh[chosen], minlength=30)
        if k == EV:
            assert sums.tolist() == result.parts_mwh[:, k].tolist()
        assert (sums <= result.parts_mwh[:, k]).all()
        assert (np.diff(cycles.start_us[chosen]) > 0).all()
        assert (cycles.end_us[chosen][:-1] <= cycles.start_us[chosen][1:]).all()
    assert (np.diff(cycles.appliance) >= 0).all()
