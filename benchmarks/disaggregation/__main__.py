"""Score the disaggregation on every labelled set at every interval, beside simple methods, and write the document."""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.disaggregation import report, speed
from benchmarks.disaggregation.datasets import DATASETS, Absent, at_rate, load
from benchmarks.disaggregation.homes import LabelledHome, check_labels
from benchmarks.disaggregation.others import Shares
from benchmarks.disaggregation.scores import METHODS, NO_LIST, OWN_MEAN, score, teach
from benchmarks.disaggregation.splits import REPORT, SAID, TUNE
from benchmarks.disaggregation.vehicles import SAYINGS, charging, false_alarms

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "disaggregation-scorecard.md"
SETS = ("ampds2", "pecan661", "redd", "uci", "uci-minutes", "simulated")
"""Sets whose classes are scored; a set teaches the mean of the others but for the last two."""
TEACHERS = ("ampds2", "pecan661", "redd", "uci")
WITH_VEHICLES = ("pecan661", "injected", "simulated")
WITHOUT_VEHICLES = ("london", "ampds2", "uci", "redd")
STABLE = ("ampds2", "pecan661", "uci", "london", "simulated")
SECTIONS = (*SETS, "vehicles", "stability", "speed")


class Sets:
    """The sets, each loaded once; a rate is made when it is asked for."""

    def __init__(self, rates: Sequence[int] | None) -> None:
        self._rates = rates
        self._homes: dict[str, list[LabelledHome]] = {}
        self._shares: dict[str, Shares] = {}

    def homes(self, dataset: str) -> list[LabelledHome]:
        """Return a set's homes at its own interval, checked."""
        if dataset not in self._homes:
            self._homes[dataset] = load(dataset)
            check_labels(self._homes[dataset])
        return self._homes[dataset]

    def rates(self, dataset: str) -> list[tuple[int, list[LabelledHome]]]:
        """Return a set's homes at each interval that was asked for [min]."""
        chosen = [rate for rate in DATASETS[dataset][1] if self._rates is None or rate in self._rates]
        return [(rate, at_rate(self.homes(dataset), rate)) for rate in chosen]

    def others(self, dataset: str) -> list[Shares]:
        """Return what the other sets teach; the minutes of a house are no other set than its hours."""
        taught = []
        for name in TEACHERS:
            if name != dataset.removesuffix("-minutes"):
                try:
                    self._shares.setdefault(name, teach(self.homes(name)))
                except Absent:
                    continue
                taught.append(self._shares[name])
        return taught


def set_text(sets: Sets, dataset: str) -> str:
    methods = (*METHODS, NO_LIST, OWN_MEAN)
    others = sets.others(dataset)
    by_rate = {rate: score(homes, methods=methods, others=others) for rate, homes in sets.rates(dataset)}
    return report.set_section(by_rate, note=f"Split: {SAID[dataset]}.") if by_rate else "No such interval.\n"


def vehicles_text(sets: Sets) -> str:
    rows, alarms = [], []
    for dataset in WITH_VEHICLES:
        try:
            rates = sets.rates(dataset)
        except Absent as absent:
            rows.append([dataset, f"skipped: {absent}", *[""] * (len(report.VEHICLE_HEAD) - 2)])
            continue
        for rate, homes in rates:
            own = [home for home in homes if home.sessions]
            for said in SAYINGS:
                for part in (REPORT, TUNE):
                    one = charging(own, said, part)
                    if one.home_months:
                        rows.append(report.vehicle_rows(dataset, rate, said, part, one))
    for dataset in WITHOUT_VEHICLES:
        try:
            rates = sets.rates(dataset)
        except Absent as absent:
            alarms.append([dataset, f"skipped: {absent}", *[""] * (len(report.ALARM_HEAD) - 2)])
            continue
        for rate, homes in rates:
            for part in (REPORT, TUNE):
                alarms.append(report.alarm_row(dataset, rate, part, false_alarms(homes, part)))  # noqa: PERF401
    return (
        f"{report.table(report.VEHICLE_HEAD, rows)}\nVehicles reported in homes that gave no list and have none, "
        f"as far as is known:\n\n{report.table(report.ALARM_HEAD, alarms)}"
    )


def stability_text(sets: Sets) -> str:
    rows = []
    for dataset in STABLE:
        try:
            rows += [report.stability_row(dataset, rate, homes) for rate, homes in sets.rates(dataset)]
        except Absent as absent:
            rows.append([dataset, f"skipped: {absent}", *[""] * (len(report.STABLE_HEAD) - 2)])
    return report.table(report.STABLE_HEAD, rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.disaggregation", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--speed", action="store_true", help="also measure the speed (the section speed)")
    parser.add_argument("--rates", type=int, nargs="+", metavar="MINUTES", help="only these; writes nothing")
    parser.add_argument("--no-write", action="store_true", help="print, and leave the document as it is")
    chosen = parser.parse_args()
    names = chosen.sections or [name for name in SECTIONS if name != "speed" or chosen.speed]
    if unknown := set(names) - set(SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    if chosen.speed and "speed" not in names:
        names.append("speed")
    sets = Sets(chosen.rates)
    makers: dict[str, Callable[[], str]] = {
        "vehicles": lambda: vehicles_text(sets),
        "stability": lambda: stability_text(sets),
        "speed": speed.section,
    }
    for name in names:
        started = time.perf_counter()
        make = makers.get(name) or (lambda name=name: set_text(sets, name))
        try:
            text = make()
        except Absent as absent:
            print(f"## {name}\n\nskipped: {absent}\n", flush=True)
            continue
        print(f"## {name} ({time.perf_counter() - started:.1f} s)\n\n{text}", flush=True)
        if not chosen.no_write and chosen.rates is None:
            DOCUMENT.write_text(report.renewed(DOCUMENT.read_text(encoding="utf-8"), name, text), encoding="utf-8")


if __name__ == "__main__":
    main()
