"""A real home's month as stacked bars, by the model and by its sub-meters: ``docs/disaggregation-month.svg``.

Run it with ``python -m benchmarks.disaggregation.picture``; it needs the data set.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import numpy as np

from analytics.calendar import EPOCH_DAY, month_range
from analytics.disaggregation.classes import CLASSES
from benchmarks.disaggregation.ampds2 import house_with_tap
from benchmarks.disaggregation.homes import REST, LabelledHome
from benchmarks.disaggregation.months import wattloom

MONTH = date(2014, 1, 1)
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "disaggregation-month.svg"
COLOURS = {
    "standby": "#7f7f7f",
    "fridge": "#17becf",
    "heating": "#d62728",
    "cooling": "#1f77b4",
    "boiler": "#ff7f0e",
    "washing": "#9467bd",
    "cooking": "#8c564b",
    "electric_vehicle": "#2ca02c",
    "lights": "#e7ba52",
    "others": "#c7c7c7",
    REST: "#c7c7c7",
}
LEFT, TOP, BAR, GAP, HEIGHT = 60, 40, 18, 4, 200
NOTE = (
    "House in Burnaby, Canada, by the hour: AMPds2 (S. Makonin et al., Scientific Data 3:160037, 2016), CC BY 4.0."
    " The model knows the whole and what is owned."
)

Bars = dict[str, np.ndarray]


def bars_of(home: LabelledHome) -> tuple[Bars, Bars]:
    """Return kWh per class and day of the month: as found, and as the sub-meters measured."""
    days = (MONTH - EPOCH_DAY).days + np.arange(month_range(MONTH.year, MONTH.month).last.day)
    (found,) = wattloom([home])
    chosen = np.isin(found.day, days)
    as_found = {key: found.parts_wh[chosen, n] / 1000 for n, key in enumerate(CLASSES)}
    first = (home.first_day() - EPOCH_DAY).days
    truth = home.by_day(home.truths())[days - first] / 1000
    return as_found, {label: truth[:, n] for n, label in enumerate(home.all_labels)}


def panel(title: str, bars: Bars, top: float, *, greatest: float) -> Iterator[str]:
    """Yield the drawing of one panel whose upper edge is at ``top``."""
    used = [key for key in COLOURS if key in bars and bars[key].sum() > 0.05]
    count = len(next(iter(bars.values())))
    foot = top + HEIGHT
    yield f'<text x="{LEFT}" y="{top - 12}" font-weight="bold">{title}</text>'
    for kwh in range(0, int(greatest) + 1, 10):
        y = foot - kwh / greatest * HEIGHT
        yield f'<line x1="{LEFT}" x2="{LEFT + count * (BAR + GAP)}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{kwh}</text>'
    for day in range(count):
        y = float(foot)
        for key in used:
            height = bars[key][day] / greatest * HEIGHT
            y -= height
            x = LEFT + day * (BAR + GAP)
            yield f'<rect x="{x}" y="{y:.2f}" width="{BAR}" height="{height:.2f}" fill="{COLOURS[key]}"/>'
        if day % 5 == 0:
            x = LEFT + day * (BAR + GAP) + BAR / 2
            yield f'<text x="{x}" y="{foot + 16}" text-anchor="middle">{day + 1}</text>'
    for row, key in enumerate(reversed(used)):
        x, y = LEFT + count * (BAR + GAP) + 16, top + 4 + row * 20
        yield f'<rect x="{x}" y="{y}" width="12" height="12" fill="{COLOURS[key]}"/>'
        label = f"{key.replace('_', ' ')} {bars[key].sum():.0f} kWh"
        yield f'<text x="{x + 18}" y="{y + 11}">{label}</text>'


def drawing(panels: Sequence[tuple[str, Bars]]) -> str:
    """Return the picture: one panel under the other, on one scale."""
    greatest = max(float(np.sum(list(bars.values()), axis=0).max()) for _, bars in panels) * 1.05
    width = LEFT + 31 * (BAR + GAP) + 190
    height = TOP + len(panels) * (HEIGHT + 60) + 10
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, (title, bars) in enumerate(panels):
        lines += panel(title, bars, TOP + number * (HEIGHT + 60), greatest=greatest)
    lines.append(f'<text x="{LEFT}" y="{height - 8}" font-size="10" fill="#555">{NOTE}</text>')
    return "\n".join([*lines, "</svg>", ""])


def picture() -> str:
    """Return the SVG of the month; the house's hot-water tap is on its list by name, not as a boiler."""
    (home,) = house_with_tap()
    found, measured = bars_of(home)
    panels = [
        (f"{MONTH:%B %Y}, kWh a day: what the model says of the whole-house meter", found),
        ("The same month by the house's sub-meters", measured),
    ]
    return drawing(panels)


def main() -> None:
    DOCUMENT.write_text(picture(), encoding="utf-8")
    print(f"{DOCUMENT.name} is renewed")


if __name__ == "__main__":
    main()
