"""Sections: what is absent says so, what was aimed at is judged by the part that was not tuned on."""

import numpy as np

from benchmarks.disaggregation import report, sections
from benchmarks.disaggregation.metrics import Events
from benchmarks.disaggregation.scores import METHODS, Scored
from benchmarks.disaggregation.sections import Scorecard, targets_text
from benchmarks.disaggregation.vehicles import KNOWN, NO_LIST, UNKNOWN, Charging, FalseAlarms
from benchmarks.measure import Row
from tests.unit.benchmarks.homes import small_home


def test_sections_of_several_sets_name_those_that_are_absent(monkeypatch, tmp_path):
    monkeypatch.setenv("WATTLOOM_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(sections, "STABLE", ("ampds2", "london"))
    monkeypatch.setattr(sections, "SEVERAL_RATES", ("redd",))
    text = Scorecard(None).section("stability")
    for name in ("ampds2", "london", "redd"):
        assert f"| {name} | skipped: " in text
    assert text.count("is not on this machine") == 3


def scored(own: float, report_own: float) -> list[Scored]:
    """A home of two labels over two months: the share of the energy that each method puts right."""
    truth = np.array([[60.0, 40.0]] * 59)
    is_report = np.arange(59) >= 31
    right = {"wattloom": own, "prior only": 0.8, "mean of other sets": 0.7, "CO": 0.6}
    found = {name: truth * share + truth[:, ::-1] * (1 - share) for name, share in right.items()}
    found["wattloom"][is_report] = truth[is_report] * report_own + truth[is_report][:, ::-1] * (1 - report_own)
    assert set(found) == set(METHODS)
    one = Scored(
        name="home 1",
        labels=("fridge", "rest"),
        day=19_358 + np.arange(59),
        is_report=is_report,
        truth_wh=truth,
        found_wh=found,
    )
    return [one]


def test_the_verdict_is_that_of_the_part_and_names_the_best_competitor():
    homes = scored(own=0.95, report_own=0.5)
    own, best, name = report.verdict(homes, "tune")
    assert (own > best, name) == (True, "prior only")
    own, best, name = report.verdict(homes, "report")
    assert (own < best, name) == (True, "prior only")


def test_a_set_is_judged_by_its_report_and_every_interval_has_to_be_above(monkeypatch):
    card = Scorecard(None)
    monkeypatch.setattr(card, "_others", lambda _: [])
    monkeypatch.setattr(card, "rates", lambda _: [(15, ["good"]), (30, ["bad"])])
    made = {"good": scored(own=0.1, report_own=0.99), "bad": scored(own=0.99, report_own=0.1)}
    monkeypatch.setattr(sections, "score", lambda homes, **_: made[homes[0]])
    text = card.section("redd")
    assert [one.met for one in card.targets] == [False]
    assert card.targets[0].what == "TECA of months, redd, report"
    assert text.count("**0.998** above the next three") == 1
    monkeypatch.setattr(card, "rates", lambda _: [(15, ["good"])])
    card.section("redd")
    assert [one.met for one in card.targets] == [False, True]


def test_charging_is_judged_in_the_months_that_were_not_tuned_on_at_a_quarter_hour(monkeypatch):
    home = small_home(dataset="pecan661")
    object.__setattr__(home, "sessions", ("one",))
    events = Events(n_found=10, n_true=10, n_matched=9, start_error_min=1.0, energy_error=0.05)

    def charging(_, said, part):
        error = {KNOWN: 0.05, UNKNOWN: 0.2, NO_LIST: 0.9}[said] if part == "report" else 0.0
        return Charging(home_months=6, monthly_error=error, total_error=0.0, events=events)

    def alarms(_, part):
        return FalseAlarms(home_months=100, with_vehicle=1 if part is None else 50, homes_with_vehicle=())

    card = Scorecard(None)
    monkeypatch.setattr(card, "rates", lambda _: [(15, [home]), (30, [home])])
    monkeypatch.setattr(sections, "WITHOUT_VEHICLES", ("london", "uci"))
    monkeypatch.setattr(sections, "charging", charging)
    monkeypatch.setattr(sections, "false_alarms", alarms)
    card.section("vehicles")
    met = [(one.figure, one.met) for one in card.targets]
    one_of_100 = "1 of 100"
    assert met == [
        ("5.0 %", True),
        ("0.900", True),
        ("20.0 %", False),
        (one_of_100, True),
        (one_of_100, True),
        (one_of_100, False),
        (one_of_100, False),
    ]


def test_a_target_that_was_missed_stands_out():
    rows = [Row(what="a", figure="1", target="2", met=False), Row(what="b", figure="3", target="2", met=True)]
    assert targets_text(rows).splitlines()[2:] == ["| a | 1 | 2 | **no** |", "| b | 3 | 2 | yes |"]
