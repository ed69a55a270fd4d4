"""The document: made parts stay between their markers, and every part has its place."""

import math
from pathlib import Path

import numpy as np
import pytest

from analytics.disaggregation.batch import CLASSES
from benchmarks.disaggregation import report
from benchmarks.disaggregation.__main__ import DOCUMENT, SECTIONS, TARGETS
from benchmarks.disaggregation.months import Found
from benchmarks.disaggregation.report import begin, end, number, percent, renewed, table
from tests.unit.benchmarks.homes import small_home, us

ROOT = Path(__file__).resolve().parents[3]


def test_a_section_is_renewed_between_its_markers_and_nothing_else_changes():
    before = f"words\n{begin('a')}\nold\n{end('a')}\nmore\n{begin('b')}\nkept\n{end('b')}\n"
    after = renewed(before, "a", "new\n")
    assert after == f"words\n{begin('a')}\n\nnew\n\n{end('a')}\nmore\n{begin('b')}\nkept\n{end('b')}\n"
    assert renewed(after, "a", "new") == after


def test_a_document_without_a_place_for_the_section_is_refused():
    with pytest.raises(KeyError, match="no place for c"):
        renewed("words", "c", "text")


def test_the_document_has_a_place_for_every_section():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert ROOT / "docs" / "disaggregation-scorecard.md" == DOCUMENT
    for name in (*SECTIONS, TARGETS):
        assert text.index(begin(name)) < text.index(end(name))


def test_a_figure_that_is_none_is_a_dash():
    assert [number(math.nan), number(0.5), percent(math.nan), percent(0.123)] == ["-", "0.500", "-", "12.3 %"]
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n|---|---|\n| 1 | 2 |\n"


def found_of(day, parts):
    parts = np.array(parts, dtype=float)
    return Found(day=np.array(day), total_wh=parts.sum(axis=1), parts_wh=parts)


def test_two_intervals_agree_in_the_share_of_energy_that_is_in_the_same_class(monkeypatch):
    def with_fridge(share):
        row = np.zeros((31, len(CLASSES)))
        row[:, CLASSES.index("fridge")], row[:, CLASSES.index("others")] = share, 1.0 - share
        return found_of(19_358 + np.arange(31), row)

    results = iter([[with_fridge(0.5)], [with_fridge(0.3)], [with_fridge(0.5)]])
    monkeypatch.setattr(report, "wattloom", lambda _: next(results))
    home = small_home()
    rows = report.agreement_rows("made", [(15, [home]), (30, [home]), (60, [home])])
    assert rows == [["made", "1", "15 min", "30 min", "80.0 %"], ["made", "1", "15 min", "60 min", "100.0 %"]]


def test_the_measured_fridge_is_as_stable_as_it_was_measured():
    steady = small_home(start_us=us(2023, 1, 2), hours=24 * 28)
    row = report.stability_row("made", 60, [steady])
    assert row[:3] == ["made", "60 min", "1"]
    assert row[-1] == "0.0 %"
    assert row[-2] == "-"
