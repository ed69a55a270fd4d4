"""The labelled sets as homes, each at every interval it allows."""

from collections.abc import Callable, Iterable
from zoneinfo import ZoneInfo

import polars as pl

from benchmarks.disaggregation import ampds2, injected, pecan, redd, synthetic, uci
from benchmarks.disaggregation.files import Absent, data_folder
from benchmarks.disaggregation.homes import LabelledHome, resample


def london() -> list[LabelledHome]:
    """100 homes of London by the half hour, 2013; nothing known of what is inside, and no list."""
    files = sorted((data_folder() / "lcl_100_households_2013").glob("MAC*.csv.gz"))
    if not files:
        raise Absent("lcl_100_households_2013 is not on this machine (WATTLOOM_DATA_DIR)")
    homes = []
    for file in files:
        rows = (
            pl.read_csv(file, infer_schema=False)
            .rename(lambda name: name.strip())
            .select(
                pl.col("tstp").str.to_datetime(strict=False, time_unit="us").dt.timestamp("us").alias("start_us"),
                pl.col("energy(kWh/hh)").str.strip_chars().cast(pl.Float64, strict=False).alias("kwh"),
            )
            .drop_nulls()
            .filter(pl.col("start_us") % (1800 * 1_000_000) == 0)
            .unique("start_us", keep="last")
            .sort("start_us")
        )
        homes.append(
            LabelledHome(
                dataset="london",
                name=file.name.split(".")[0],
                zone=ZoneInfo("Europe/London"),
                latitude=51.51,
                longitude=-0.13,
                interval_s=1800,
                start_us=rows["start_us"].to_numpy(),
                energy_wh=rows["kwh"].to_numpy() * 1000.0,
                truth_wh={},
                labels={},
            )
        )
    return homes


def _redd() -> list[LabelledHome]:
    folder = data_folder() / "redd_lowfreq_3s"
    if not folder.is_dir():
        raise Absent("redd_lowfreq_3s is not on this machine (WATTLOOM_DATA_DIR)")
    return redd.homes(folder)


def _injected() -> list[LabelledHome]:
    file = data_folder() / "norway_ev_sessions" / "Dataset_1_EV_charging_reports.csv.gz"
    if not file.exists():
        raise Absent("norway_ev_sessions is not on this machine (WATTLOOM_DATA_DIR)")
    return injected.homes(london(), file)


Loader = Callable[[], list[LabelledHome]]
DATASETS: dict[str, tuple[Loader, tuple[int, ...]]] = {
    "ampds2": (ampds2.house, (60,)),
    "ampds2-tap": (ampds2.house_with_tap, (60,)),
    "pecan661": (pecan.home, (15, 30, 60)),
    "pecan661-grid": (pecan.home_at_the_grid, (15, 30, 60)),
    "redd": (_redd, (1, 15, 30, 60)),
    "uci": (uci.house, (60,)),
    "uci-minutes": (uci.house_by_the_minute, (1, 15, 30, 60)),
    "london": (london, (30, 60)),
    "injected": (_injected, (30, 60)),
    "simulated": (synthetic.simulated, (15, 30, 60)),
}
"""Each set's loader and the intervals it allows [min]."""


def load(dataset: str) -> list[LabelledHome]:
    """Return a set's homes at its own interval.

    Raises
    ------
    Absent
        The set is not on this machine.
    """
    return DATASETS[dataset][0]()


def at_rate(homes: Iterable[LabelledHome], minutes: int) -> list[LabelledHome]:
    """Return homes at an interval [min]."""
    return [resample(home, minutes * 60) for home in homes]


__all__ = ["DATASETS", "Absent", "at_rate", "load", "london"]
