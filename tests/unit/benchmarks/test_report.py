"""The document: made parts stay between their markers, and every part has its place."""

import math
from pathlib import Path

import pytest

from benchmarks.disaggregation.__main__ import DOCUMENT, SECTIONS
from benchmarks.disaggregation.report import begin, end, number, percent, renewed, table

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
    for name in SECTIONS:
        assert text.index(begin(name)) < text.index(end(name))


def test_a_figure_that_is_none_is_a_dash():
    assert [number(math.nan), number(0.5), percent(math.nan), percent(0.123)] == ["-", "0.500", "-", "12.3 %"]
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n|---|---|\n| 1 | 2 |\n"
