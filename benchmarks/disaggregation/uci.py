"""UCI: one house near Paris with three sub-meters, four years by the hour and 26 days by the minute."""

from zoneinfo import ZoneInfo

import polars as pl

from benchmarks.disaggregation.files import HOME, HOUR, local_us, read, within
from benchmarks.disaggregation.homes import LabelledHome, appliance

UCI_LABELS = {"boiler_cooling": ("boiler", "cooling"), "kitchen_laundry": ("cooking", "fridge", "washing")}
UCI_APPLIANCES = [
    appliance("FRIDGE", type="FRIDGE_AND_FREEZER"),
    appliance("WASHING_MACHINE"),
    appliance("TUMBLE_DRYER", type="I_DONT_KNOW", usage_types=["AUTUMN", "SPRING", "SUMMER", "WINTER"]),
    appliance("DISHWASHER"),
    appliance("ELECTRIC_OVEN", type="REGULAR"),
    appliance("ELECTRIC_OVEN", type="MICROWAVE"),
    appliance(
        "ELECTRIC_BOILER", usage_type="WATER_HEATING", water_tank=True, coupled_with_solar_thermal_system="NO"
    ),
    appliance("AC", type="OTHER", usage_type="SUMMER"),
]


def _house(dataset: str, rows: pl.DataFrame, interval_s: int) -> list[LabelledHome]:
    """Return the home of Sceaux; the kitchen's dishwasher and the laundry's fridge leave two labels to know."""
    rows = (
        rows.with_columns(pl.col("at").map_batches(lambda s: local_us(s, "Europe/Paris")).alias("start_us"))
        .drop_nulls()
        .unique("start_us", keep="first")
        .sort("start_us")
    )
    minutes = interval_s / 60
    energy = rows["kw"].to_numpy() * 1000.0 * minutes / 60
    truth = {
        "boiler_cooling": rows["sub3"].to_numpy() * minutes,
        "kitchen_laundry": (rows["sub1"] + rows["sub2"]).to_numpy() * minutes,
    }
    return [
        LabelledHome(
            dataset=dataset,
            name="Sceaux",
            zone=ZoneInfo("Europe/Paris"),
            latitude=48.78,
            longitude=2.29,
            interval_s=interval_s,
            start_us=rows["start_us"].to_numpy(),
            energy_wh=energy,
            truth_wh=within(energy, truth),
            labels=UCI_LABELS,
            property_=HOME,
            appliances=UCI_APPLIANCES,
        )
    ]


_UCI_NAMES = {
    "Global_active_power": "kw",
    "Sub_metering_1": "sub1",
    "Sub_metering_2": "sub2",
    "Sub_metering_3": "sub3",
}


def house() -> list[LabelledHome]:
    """One house near Paris by the hour, four years; gas hobs, an electric boiler and air conditioning."""
    rows = read("uci_household_power/household_power_consumption_hourly.csv.gz", try_parse_dates=True)
    return _house("uci", rows.rename(_UCI_NAMES | {"Datetime": "at"}).select("at", *_UCI_NAMES.values()), HOUR)


def house_by_the_minute() -> list[LabelledHome]:
    """Return the same house by the minute, its first 26 days."""
    file = "uci_household_power/household_power_consumption_1min_first37k.txt.gz"
    rows = read(file, separator=";", infer_schema=False).rename(_UCI_NAMES)
    at = (pl.col("Date") + " " + pl.col("Time")).str.to_datetime("%d/%m/%Y %H:%M:%S", time_unit="us").alias("at")
    numbers = [pl.col(name).str.strip_chars().cast(pl.Float64) for name in _UCI_NAMES.values()]
    return _house("uci-minutes", rows.select(at, *numbers), 60)
