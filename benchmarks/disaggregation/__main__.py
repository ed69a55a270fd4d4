"""Score the disaggregation on every labelled set at every interval, beside simple methods, and write the document."""

import argparse
import sys
import time
from pathlib import Path

from benchmarks.disaggregation.datasets import Absent
from benchmarks.disaggregation.report import renewed
from benchmarks.disaggregation.sections import SECTIONS, Scorecard, targets_text
from benchmarks.disaggregation.splits import REPORT, TUNE

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "disaggregation-scorecard.md"
TARGETS = "targets"
"""The section that is made of all others, in a run of all."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.disaggregation", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--speed", action="store_true", help="also measure the speed (the section speed)")
    parser.add_argument("--tune", action="store_true", help="only what may be fitted on; writes nothing")
    parser.add_argument("--rates", type=int, nargs="+", metavar="MINUTES", help="only these; writes nothing")
    parser.add_argument("--no-write", action="store_true", help="print, and leave the document as it is")
    parser.add_argument(
        "--peers", metavar="FOLDER", nargs="+", help="where nilmtk, opendsm and cvxpy are installed"
    )
    chosen = parser.parse_args()
    if chosen.peers:
        sys.path.extend(chosen.peers)  # after our own packages, which stay as they are
    names = chosen.sections or [name for name in SECTIONS if name != "speed"]
    if unknown := set(names) - set(SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    if chosen.speed and "speed" not in names:
        names.append("speed")
    writes = not (chosen.no_write or chosen.tune or chosen.rates)
    card = Scorecard(chosen.rates, (TUNE,) if chosen.tune else (REPORT, TUNE))
    for name in names:
        started = time.perf_counter()
        try:
            text = card.section(name)
        except Absent as absent:
            print(f"## {name}\n\nskipped: {absent}\n", flush=True)
            continue
        print(f"## {name} ({time.perf_counter() - started:.1f} s)\n\n{text}", flush=True)
        if writes:
            _renew(name, text)
    if card.targets and not chosen.tune:
        text = targets_text(card.targets)
        print(f"## {TARGETS}\n\n{text}", flush=True)
        if writes and set(names) == set(SECTIONS):
            _renew(TARGETS, text)


def _renew(name: str, text: str) -> None:
    """Put a section in its place in the document."""
    DOCUMENT.write_text(renewed(DOCUMENT.read_text(encoding="utf-8"), name, text), encoding="utf-8")


if __name__ == "__main__":
    main()
