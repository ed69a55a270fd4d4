"""The sections of the scorecard: each runs its sets at their intervals, and notes which targets were met."""

from collections.abc import Iterator, Sequence

from benchmarks.disaggregation import report, speed, thermal
from benchmarks.disaggregation.datasets import DATASETS, Absent, at_rate, load
from benchmarks.disaggregation.homes import LabelledHome, check_labels
from benchmarks.disaggregation.others import Shares
from benchmarks.disaggregation.report import number, percent
from benchmarks.disaggregation.scores import METHODS, NO_LIST, OWN_MEAN, score, teach
from benchmarks.disaggregation.splits import REPORT, SAID, TUNE
from benchmarks.disaggregation.vehicles import KNOWN, SAYINGS, UNKNOWN, charging, false_alarms
from benchmarks.measure import Row

SETS = ("ampds2", "ampds2-tap", "pecan661", "redd", "uci", "uci-minutes", "simulated")
"""Sets whose classes are scored."""
SYNTHETIC = {"simulated"}
TEACHERS = ("ampds2", "pecan661", "redd", "uci")
"""Sets that teach the mean of the others."""
WITH_VEHICLES = ("pecan661", "pecan661-grid", "injected", "simulated")
WITHOUT_VEHICLES = ("london", "ampds2", "uci", "redd")
STABLE = ("ampds2", "pecan661", "uci", "london", "simulated")
SEVERAL_RATES = ("pecan661", "redd", "uci-minutes", "london", "simulated")
WITH_BOUNDS = ("ampds2", "pecan661", "redd", "injected", "simulated")
SECTIONS = (*SETS, "thermal", "vehicles", "bounds", "stability", "speed")

MONTH_ERROR = {KNOWN: 0.059, UNKNOWN: 0.15}
"""Of charging at 15 minutes in an unseen home (661), with the charger's power and without it."""
LEAST_F1 = 0.85
MOST_ALARMS = {"london": 0.02}
"""Share of home-months with a vehicle in homes that named none; none at all in the other sets."""


class Scorecard:
    """The sets, each loaded once, and the targets that the sections so far have met or missed.

    Parameters
    ----------
    rates : sequence of int or None, [min]
        Only these intervals.
    parts : tuple of str
        Of "report" and "tune".
    """

    def __init__(self, rates: Sequence[int] | None, parts: tuple[str, ...] = (REPORT, TUNE)) -> None:
        self._rates = rates
        self._parts = parts
        self._homes: dict[str, list[LabelledHome]] = {}
        self._shares: dict[str, Shares] = {}
        self.targets: list[Row] = []

    def section(self, name: str) -> str:
        """Return a section's Markdown.

        Raises
        ------
        Absent
            The data of the whole section is not on this machine.
        """
        if name in SETS:
            return self._set(name)
        if name == "thermal":
            return self._thermal()
        if name == "vehicles":
            return self._vehicles()
        if name == "bounds":
            return self._bounds()
        if name == "stability":
            return self._stability()
        return speed.section(self.targets)

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

    def _others(self, dataset: str) -> list[Shares]:
        """Return what the other sets teach; variants of a house are no other set."""
        taught = []
        for name in TEACHERS:
            if name != dataset.partition("-")[0]:
                try:
                    self._shares.setdefault(name, teach(self.homes(name)))
                except Absent:
                    continue
                taught.append(self._shares[name])
        return taught

    def _each(
        self, datasets: Sequence[str], head: Sequence[str], rows: list[list[str]]
    ) -> Iterator[tuple[str, list[tuple[int, list[LabelledHome]]]]]:
        """Give each set with its intervals; one that is absent becomes a line that says so."""
        for dataset in datasets:
            try:
                rates = self.rates(dataset)
            except Absent as absent:
                rows.append([dataset, f"skipped: {absent}", *[""] * (len(head) - 2)])
            else:
                yield dataset, rates

    def _set(self, dataset: str) -> str:
        methods = (*METHODS, NO_LIST, OWN_MEAN)
        others = self._others(dataset)
        by_rate = {rate: score(homes, methods=methods, others=others) for rate, homes in self.rates(dataset)}
        if not by_rate:
            return "No such interval.\n"
        if dataset not in SYNTHETIC:
            part = next((one for one in self._parts if report.has_days(next(iter(by_rate.values())), one)), TUNE)
            verdicts = [(rate, *report.verdict(scored, part)) for rate, scored in by_rate.items()]
            self.targets.append(
                Row(
                    what=f"TECA of months, {dataset}, {part}",
                    figure="; ".join(f"{number(own)} at {rate} min" for rate, own, _, _ in verdicts),
                    target="; ".join(f"above {best} {number(other)}" for _, _, other, best in verdicts),
                    met=all(own > other for _, own, other, _ in verdicts),
                )
            )
        return report.set_section(by_rate, note=f"Split: {SAID[dataset]}.", parts=self._parts)

    def _thermal(self) -> str:
        heaters: list[list[str]] = []
        for dataset, rates in self._each(("london",), thermal.HEATERS_HEAD, heaters):
            for _, homes in rates[:1]:
                heaters += thermal.heaters_rows(dataset, homes, self._parts)
        return (
            f"{report.table(thermal.HEAD, thermal.rows())}\nHomes that gave no list and have no temperatures; most of "
            f"them heat by gas:\n\n{report.table(thermal.HEATERS_HEAD, heaters)}"
        )

    def _vehicles(self) -> str:
        rows: list[list[str]] = []
        alarms: list[list[str]] = []
        for dataset, rates in self._each(WITH_VEHICLES, report.VEHICLE_HEAD, rows):
            for rate, homes in rates:
                own = [home for home in homes if home.sessions]
                for said in SAYINGS:
                    for part in self._parts:
                        one = charging(own, said, part)
                        if not one.home_months:
                            continue
                        rows.append(report.vehicle_rows(dataset, rate, said, part, one))
                        if (dataset, rate, part) == ("pecan661", 15, REPORT):
                            self._aim_at_charging(said, one.monthly_error, one.events.f1)
        parts: list[str | None] = [*self._parts, *([None] if len(self._parts) > 1 else [])]
        for dataset, rates in self._each(WITHOUT_VEHICLES, report.ALARM_HEAD, alarms):
            for rate, homes in rates:
                for one_part in parts:
                    found = false_alarms(homes, one_part)
                    alarms.append(report.alarm_row(dataset, rate, one_part or "all", found))
                    if one_part is None:
                        most = MOST_ALARMS.get(dataset, 0.0)
                        self.targets.append(
                            Row(
                                what=f"home-months with a vehicle nobody named, {dataset}, {rate} min",
                                figure=f"{found.with_vehicle} of {found.home_months}",
                                target=f"at most {percent(most)}",
                                met=found.share <= most,
                            )
                        )
        return (
            f"{report.table(report.VEHICLE_HEAD, rows)}\nVehicles reported in homes that gave no list and have none, "
            f"as far as is known:\n\n{report.table(report.ALARM_HEAD, alarms)}"
        )

    def _aim_at_charging(self, said: str, error: float, f1: float) -> None:
        if said in MONTH_ERROR:
            most = MONTH_ERROR[said]
            what = f"error of a month's charging, 661, 15 min, {said}"
            row = Row(what=what, figure=percent(error), target=f"below {percent(most)}", met=error < most)
            self.targets.append(row)
        if said == KNOWN:
            what = f"F1 of charges, 661, 15 min, {said}"
            row = Row(what=what, figure=number(f1), target=f"at least {LEAST_F1}", met=f1 >= LEAST_F1)
            self.targets.append(row)

    def _bounds(self) -> str:
        rows: list[list[str]] = []
        for dataset, rates in self._each(WITH_BOUNDS, report.BOUNDS_HEAD, rows):
            allowed = DATASETS[dataset][1]
            for rate, homes in rates:
                if rate == (30 if 30 in allowed else allowed[0]):
                    rows += report.bounds_rows(dataset, rate, homes, self._parts)
        return report.table(report.BOUNDS_HEAD, rows)

    def _stability(self) -> str:
        rows: list[list[str]] = []
        agreement: list[list[str]] = []
        for dataset, rates in self._each(STABLE, report.STABLE_HEAD, rows):
            rows += [report.stability_row(dataset, rate, homes) for rate, homes in rates]
        for dataset, rates in self._each(SEVERAL_RATES, report.AGREE_HEAD, agreement):
            agreement += report.agreement_rows(dataset, rates)
        return (
            f"{report.table(report.STABLE_HEAD, rows)}\nThe same home at a longer interval, 1 - sum abs(p - q) / 2 "
            f"over the shares of the classes in a month:\n\n{report.table(report.AGREE_HEAD, agreement)}"
        )


def targets_text(targets: Sequence[Row]) -> str:
    """Return the targets as a table."""
    rows = [[one.what, one.figure, one.target, "yes" if one.met else "**no**"] for one in targets]
    return report.table(("what", "measured", "target", "met"), rows)
