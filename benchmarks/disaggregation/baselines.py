"""Simple methods that any model must beat: a survey scaled to the total, and the means of other months.

Each returns energy per local day and label. Both spread a month's shares over its days by the days' totals.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from analytics.calendar import SECOND_US
from analytics.climate import normal_day_c
from analytics.disaggregation.batch import CLASSES
from analytics.disaggregation.households import Household, household_of
from benchmarks.disaggregation.homes import Floats, Ints, LabelledHome
from benchmarks.disaggregation.months import EPOCH_DAY

PEOPLE = 2.4
"""Of a home that does not say; mean of British and French households."""
HEATING_BASE_C, COOLING_BASE_C = 15.5, 20.0
HOME_M2 = 95.0

SURVEY_KWH_PER_DAY: Mapping[str, float] = {
    "fridge": 1.2,
    "standby": 1.3,
    "lights": 1.3,
    "cooking": 1.3,
    "washing machine": 0.45,
    "dishwasher": 0.8,
    "dryer": 1.1,
    "others": 2.1,
    "boiler per person": 2.1,
    "boiler loss": 1.0,
    "vehicle": 6.0,
    "heating per K": 2.6,
    "heat pump per K": 1.0,
    "cooling per K": 1.6,
}
"""Energy per day of what is owned [kWh]; heating and cooling per degree-day of a home of `HOME_M2`.

Source: Household Electricity Survey (Intertek R66141, 2012: cold 16, cooking 14, lights 15, washing 14 % of
3,638 kWh, and per appliance owned); hot water 40 l x 45 K per person; 30 km a day by car; own round figures
for the degree-days (110 W/K, a heat pump of 2.6)."""


def survey_wh(household: Household, degree_days: tuple[float, float]) -> Floats:
    """Return what a survey expects of such a home on a day, shape (len(CLASSES),) [Wh].

    Parameters
    ----------
    degree_days : (float, float), [K]
        Below the base temperature of heating, and above that of cooling.
    """
    kwh, people = SURVEY_KWH_PER_DAY, float(household.people or PEOPLE)
    size = np.sqrt((household.home_size_m2 or HOME_M2) / HOME_M2)
    crowd = np.sqrt(people / PEOPLE)
    cold, hot = degree_days
    pumps = min(household.heat_pumps, household.heats)
    warmed = min(household.heats + household.heats_by_boiler, 1) if pumps == 0 else 0
    expected = {
        "boiler": kwh["boiler per person"] * people + kwh["boiler loss"] if household.boilers else 0.0,
        "cooking": kwh["cooking"] * crowd * _cooks(household),
        "cooling": kwh["cooling per K"] * size * hot if household.cools else 0.0,
        "electric_vehicle": kwh["vehicle"] * len(household.ev_wattages_w),
        "fridge": kwh["fridge"] * sum(household.fridges),
        "heating": size * cold * (kwh["heat pump per K"] * min(pumps, 1) + kwh["heating per K"] * warmed),
        "lights": kwh["lights"] * size,
        "others": kwh["others"] * crowd,
        "standby": kwh["standby"] * size,
        "washing": crowd
        * sum(
            kwh[name] * min(owned, 1)
            for name, owned in (
                ("washing machine", household.washing_machines),
                ("dishwasher", household.dishwashers),
                ("dryer", household.dryers),
            )
        ),
    }
    return 1000.0 * np.array([expected[name] for name in CLASSES])


def _cooks(household: Household) -> float:
    """Return the share of electric cooking that the home's appliances make up."""
    weights = (
        (0.5, household.stoves),
        (0.3, household.ovens),
        (0.1, household.microwaves),
        (0.1, household.kettles),
    )
    return float(sum(weight for weight, owned in weights if owned))


def prior_only(home: LabelledHome, day: Ints, total_wh: Floats) -> Floats:
    """Return the survey's energies scaled to each month's total, shape (d, len(CLASSES)) [Wh].

    Degree-days are those of the climate normal, which is what a survey has.
    """
    household = household_of(home.property_, home.appliances)
    noons_us = (day * 86_400 + 43_200) * SECOND_US
    celsius = normal_day_c(noons_us, home.latitude)
    cold, hot = np.maximum(HEATING_BASE_C - celsius, 0.0), np.maximum(celsius - COOLING_BASE_C, 0.0)
    parts = np.empty((day.size, len(CLASSES)))
    for month in np.unique(month_numbers(day)):
        rows = month_numbers(day) == month
        expected = survey_wh(household, (float(cold[rows].mean()), float(hot[rows].mean())))
        parts[rows] = total_wh[rows, None] * expected / expected.sum()
    return parts


def mean_shares(truths: Sequence[Floats]) -> Floats:
    """Return the share of each label in the energy of the homes' days to learn from, shape (labels,).

    Parameters
    ----------
    truths : sequence of ndarrays, shape (d, labels), [Wh]
    """
    energy = np.sum([truth.sum(axis=0) for truth in truths], axis=0)
    return np.asarray(energy / energy.sum())


def month_numbers(day: Ints) -> Ints:
    """Return the calendar month of each day, counted from year 0."""
    months = (np.datetime64(EPOCH_DAY) + day.astype("timedelta64[D]")).astype("datetime64[M]")
    return np.asarray(months.astype(np.int64) + 1970 * 12)


def week_numbers(day: Ints) -> Ints:
    """Return the Monday week of each day."""
    return (day + 3) // 7
