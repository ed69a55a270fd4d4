"""Every number the disaggregation assumes rather than measures, each with its source.

"Own choice" marks a number that no source gives; "fitted on" one that was chosen for its results on a set's
part for tuning. HES is the Household Electricity Survey of 250 English homes (Intertek R66141, 2012); ECUK is
Energy Consumption in the UK; "method" the method notes in docs/disaggregation.md.
"""

# The household.

PEOPLE = 2.4
"""Of a home that does not say. Source: mean of British and French households."""

HOME_M2 = 95.0
"""Of a home that does not say. Source: English Housing Survey, mean floor area."""

# Standby.

FRIDGE_SHARE_RESOLUTION_S = (900.0, 1800.0, 3600.0)
FRIDGE_SHARE_OF_MINIMUM = (0.0, 0.06, 0.8)
"""Share of a fridge's mean power that is in the day's least interval, against the interval's length; linear between.

Nearly none as long as the compressor rests as long as that. Fitted on REDD, houses 1 and 2 (0.01 to 0.04 at 30
minutes, 0.73 and 0.91 at 60); method, stage 1, has up to 0.7."""

STANDBY_REFERENCE_DAYS = 91
"""Length of the reference the weekly standby is shrunk to: 13 weeks. Source: method, stage 1."""

STANDBY_REFERENCE_WEIGHT = 3.0
"""Days of a week that weigh as much as its reference. Own choice: one of daily minima in three is
disturbed by a night of use, so a full week counts 0.7 and a single day 0.25."""

MIN_DAY_COVERAGE = 0.5
"""Share of a day that must be validly measured for its least power to be the day's. Own choice: with
less, the quiet hours of the night may be among the missing."""

STANDBY_DOUBT = 0.08
"""Relative error of the standby even where all nights agree. Own choice."""

STANDBY_SPREAD = 0.3
"""Share of the spread of a home's nights that is doubt about its standby. Own choice."""

# Cold appliances.

FRIDGE_KWH_PER_DAY = (0.7, 0.9, 1.15, 0.4, 0.8)
"""Of one unit, by type: fridge, freezer, both in one, small and large wine cellar. Source: HES (162, 327 and
427 kWh a year), the first raised since a list says "fridge" for most; wine cellars own choice."""

FRIDGE_KWH_PER_DAY_NO_LIST = 1.4
"""Of a home without a list. Source: HES, 16 % of 3,638 kWh a year."""

FRIDGE_PRIOR_DOUBT = 0.35
"""Relative standard deviation of a home's cold appliances about that. Source: HES, spread over homes."""

FRIDGE_PER_K = 0.015
"""Relative rise of a fridge's use per kelvin outdoors: a room follows outdoors by less than half, and a fridge
rises 2 to 4 % per kelvin of its room. Source: method, stage 2."""

FRIDGE_REFERENCE_C = 12.0
"""Outdoor temperature at which a fridge uses its yearly mean. Own choice."""

FRIDGE_SEEN = 0.8
"""What cycles in a home at rest, in terms of its fridges' mean power: doors open by day. Fitted on REDD, houses
1 and 2 (0.62 and 0.92)."""

FRIDGE_SEEN_DOUBT = 0.35
"""Relative error of what cycles in a home at rest, as a measure of its fridges: other things cycle too.
Own choice."""

# Season: warmth and light.

COOLING_MEMORY = 0.3
"""Share of the day before in what a building feels. Source: usual in degree-day regressions; own choice."""

DARK_SINE = -0.0523
"""Sine of the sun's elevation below which rooms need light: -3 degrees. Own choice, within civil twilight."""

WAKING_FROM_H = 6
"""Hour from which to midnight people are awake. Own choice."""

HEATING_BASES_C = (10.0, 12.0, 14.0, 16.0, 18.0)
COOLING_BASES_C = (18.0, 20.0, 22.0, 24.0)
"""Outdoor temperatures below and above which a home may heat and cool. Source: CalTRACK's grid, coarser."""

BASE_C, BASE_DOUBT_K = (15.5, 20.0), (3.0, 2.5)
"""Where homes' bases of heating and cooling lie about, and their standard deviation. Source: degree-days are usually
counted from 15.5 to 18.3 and from 18.3 to 22 °C; the deviations own choice: days tell bases that lie side by side
hardly apart, and the lower of two has a steeper slope and less energy."""

SEASON_HALF_LIFE_DAYS = 180.0
"""Age at which a day weighs half in the regression on the weather. Own choice."""

SEASON_INDEPENDENT = 0.45
"""Share of days that are independent of the day before: (1 - r) / (1 + r) at a lag correlation of 0.4."""

MIN_SEASON_DAYS = 10
"""Days below which nothing is learned of the weather. Own choice."""

HEATING_KWH_PER_K = (2.6, 1.0)
"""Per degree-day of a home of `HOME_M2` heated by resistance or a heat pump: 110 W/K, and 2.6 of that for
one of electricity. Own round figures for homes of the building stock."""

COOLING_KWH_PER_K = 1.6
"""Per degree-day above the base of such a home. Own round figure."""

THERMAL_PRIOR_DOUBT = 0.8
"""Relative standard deviation of homes about these. Own choice."""

THERMAL_DOUBT = (0.15, 0.35)
"""Relative error of a month's heating or cooling by degree-days, with measured temperature and with the climate
normal. Own choice."""

BASE_ERROR_K = 1.0
"""How far a base may be off: half a step of the grid. What that adds counts in months that are near the base."""

SIGNIFICANT_BIC = 12.0
"""By how much the information criterion must fall before a home without a list is said to heat or cool."""

PART_HINT = 2.0
"""By how much n log(rss / n) of whole days must fall before their parts are looked at. Own choice: with 0 the same
homes of the tuning sets heat, at a fifth more time."""

NORMAL_INDEPENDENT = 0.35
"""Share of days that are independent where only the climate normal is known: what else follows the season lasts for
weeks. Fitted on the tuning parts of London, AMPds2 and UCI without a list."""

NORMAL_SHARE, NORMAL_KWH = 0.3, 2.5
"""What heating or cooling takes on its days, in terms of what else a mean day takes and as energy, from which on the
season alone tells it. Source: what homes with gas use more in winter, 1 to 2.5 kWh a day for light, cooking and
drying (HES); the share fitted on the tuning parts of London (homes that follow their weather beyond the season),
AMPds2 and UCI."""

PART_SPREAD = (0.2, 0.05)
"""Standard deviation of what a part of the day has of heating or cooling about its share of the degree-hours, with
measured temperature and with the climate normal, when what people do in the evenings of winter looks the same. Fitted
on AMPds2's first year and simulated homes, between 0 and 0.5."""

DARK_PARTS = (0.0, 0.2, 0.2, 0.6)
"""Share of the dark waking hours in each part of the day. Own round figures, of a latitude of 50 degrees."""

# Lights.

LIGHTS_KWH_PER_DARK_H = 0.17
"""Of a home of `HOME_M2`, per dark waking hour: 1.0 kWh a day at 6 h. Source: HES (537 kWh a year in 2010), less
what lamps have saved since."""

LIGHTS_PRIOR_DOUBT = 0.5
"""Relative standard deviation of homes about that. Source: HES, spread over homes."""

LIGHTS_DOUBT = 0.4
"""Relative error of a month's lights as the days show them. Own choice."""

LIGHTS_CAP_KWH_PER_M2 = 0.03
"""Most a day's light takes per square metre. Source: 20 W/m² of filament lamps for 1.5 h."""

# What people do.

WASHING_KWH_PER_DAY = (0.45, 0.8, 1.1)
"""Of a washing machine, a dishwasher and a dryer in use. Source: HES (166, 294 and 394 kWh a year)."""

WASHING_OWNED = (0.95, 0.45, 0.5)
"""Share of homes that own them. Source: HES."""

COOKING_KWH_PER_DAY = (0.65, 0.4, 0.13, 0.25)
"""Of stove, oven, microwave and kettle. Source: HES (226 to 290, 290, 56 and 167 kWh a year), ovens less."""

COOKING_KWH_PER_DAY_NO_LIST = 1.2
"""Of a home without a list. Source: HES, 14 % of 3,638 kWh a year."""

BOILER_KWH_PER_PERSON = 2.1
"""Hot water a day: 40 l x 45 K. Source: method, stage 5."""

BOILER_WITHOUT_TANK = 0.4
"""Share of that without a tank: half of what is listed so heats one tap, or burns gas. Own choice."""

BOILER_LOSS_KWH = 1.0
"""Of a tank, a day. Source: method, 0.5 to 1.5."""

BOILER_SOLAR_SHARE = 0.45
"""What is left for electricity with solar collectors. Own choice: they give half to two thirds."""

SHOWER_KWH_PER_PERSON = 0.8
"""Of an electric shower a day: 8 kW for 6 minutes; it counts as others. Own choice."""

OTHERS_KWH_PER_DAY = 3.5
"""Screens, computers and the like. Source: HES, audiovisual 14 %, ICT 6 % and other 4 % of
the total, make 2.4; raised for what lists
do not name, fitted on the tuning parts of AMPds2, UCI and REDD."""

OTHERS_LISTED_KWH = 0.6
"""Of each appliance on the list that has no class of its own, a day. Own choice."""

ACTIVITY_DOUBT = 0.6
"""Relative standard deviation of homes about the figures of washing, cooking and hot water. Source: HES."""

OTHERS_DOUBT = 1.0
"""Relative standard deviation of what has no class. Own choice."""

REST_DOUBT = (0.5, 0.05)
"""Error of what no stage claims, as a share of it and of the month. Own choice."""

MIN_SCALE, MAX_SCALE = 0.1, 4.0
"""Least and greatest use of a home relative to its survey that the survey follows. Own choice."""

SCALE_SHARE = (0.2, 0.4, 0.5, 0.0, 0.2, 0.5, 0.5, 1.0, 0.3, 0.4)
"""How much of a home's use relative to its survey each class follows, as an exponent. Own choice: who uses twice
as much has not two fridges."""

# Runs: kettle, hob and oven, washing machine, dishwasher, dryer, boiler, others.

RUN_POWER_W = 250.0
"""Power left by the stages before, from which on something runs. Source: method, stage 6."""

RUN_FLOOR_W = 150.0
"""Power within a run that belongs to what runs beside it. Own choice: screens and lamps of an evening."""

RUN_GAP_S = 600
"""Longest pause within a run: a hob or a drum stops for minutes. Own choice."""

RUN_KWH = (0.12, 0.7, 0.6, 1.0, 2.0, 1.8, 0.35)
RUN_KWH_SPREAD = (0.6, 0.7, 0.5, 0.45, 0.5, 0.8, 1.1)
"""Median energy of a run and its spread as a standard deviation of logarithms. Source: cycles of StROBe and the
energy labels of the appliances; spreads own choice."""

RUN_H = (0.1, 0.7, 1.2, 1.4, 1.1, 1.2, 1.2)
RUN_H_SPREAD = (0.6, 0.6, 0.5, 0.4, 0.5, 0.8, 1.0)
"""Median length of a run [h] and its spread, as above."""

RUN_COARSE_S = 3600
RUN_STEP = 0.6
"""Intervals from this length [s] on are one run only where their powers are within such a share of each other:
what runs in two very different hours of an evening is seldom one thing. Fitted on the tuning parts of UCI, REDD and
AMPds2, between 0 and 1."""

RUN_DAYS_OF_PRIOR = 7.0
"""Days of a home that weigh as much as the survey in how often a thing runs. Own choice."""

RUN_OTHERS_PER_DAY = 2.5
"""Runs a day of what has no class. Own choice."""

RUN_HOURS = (
    (
        0.2,
        0.1,
        0.1,
        0.1,
        0.2,
        0.6,
        1.6,
        2.0,
        1.6,
        1.2,
        1.1,
        1.2,
        1.5,
        1.2,
        1.0,
        1.1,
        1.4,
        1.6,
        1.5,
        1.3,
        1.2,
        1.0,
        0.8,
        0.4,
    ),
    (
        0.05,
        0.02,
        0.02,
        0.02,
        0.05,
        0.2,
        0.7,
        1.0,
        0.8,
        0.7,
        0.9,
        1.6,
        2.0,
        1.3,
        0.8,
        1.0,
        1.7,
        3.0,
        3.2,
        2.2,
        1.2,
        0.6,
        0.3,
        0.1,
    ),
    (
        0.1,
        0.05,
        0.05,
        0.05,
        0.05,
        0.2,
        0.7,
        1.3,
        1.8,
        2.0,
        1.9,
        1.7,
        1.5,
        1.4,
        1.3,
        1.2,
        1.2,
        1.3,
        1.3,
        1.2,
        1.0,
        0.8,
        0.4,
        0.2,
    ),
    (
        0.6,
        0.2,
        0.1,
        0.1,
        0.1,
        0.2,
        0.4,
        0.9,
        1.2,
        1.1,
        0.9,
        0.8,
        1.1,
        1.7,
        1.3,
        0.8,
        0.7,
        0.9,
        1.5,
        2.4,
        2.5,
        2.1,
        1.5,
        0.9,
    ),
    (
        0.2,
        0.1,
        0.05,
        0.05,
        0.05,
        0.1,
        0.4,
        0.8,
        1.2,
        1.5,
        1.7,
        1.7,
        1.6,
        1.6,
        1.6,
        1.4,
        1.4,
        1.4,
        1.4,
        1.5,
        1.4,
        1.2,
        0.8,
        0.4,
    ),
    (
        1.4,
        1.4,
        1.3,
        1.3,
        1.3,
        1.4,
        1.8,
        1.7,
        1.2,
        0.8,
        0.6,
        0.6,
        0.6,
        0.6,
        0.6,
        0.6,
        0.6,
        0.7,
        0.9,
        1.0,
        1.0,
        1.0,
        1.2,
        1.4,
    ),
    (
        0.4,
        0.3,
        0.2,
        0.2,
        0.2,
        0.3,
        0.7,
        1.0,
        1.0,
        1.0,
        1.0,
        1.0,
        1.1,
        1.0,
        1.0,
        1.1,
        1.3,
        1.6,
        1.8,
        2.0,
        1.9,
        1.7,
        1.3,
        0.8,
    ),
)
"""Relative frequency of starts by local hour. Source: shapes of StROBe's and HES's profiles, rounded."""

BOILER_REGULAR = 6.0
"""How much likelier a run is a boiler's when there is one at that hour every day than when by chance. Own choice."""

CYCLE_RESOLUTION_S = (900.0, 1800.0)
"""Coarsest intervals at which runs of boiler and cooking, and of washing, are given as cycles. Own choice: a longer
interval holds several things."""

EVIDENCE_DOUBT = (0.3, 0.6)
EVIDENCE_RESOLUTION_S = (900.0, 3600.0)
"""Relative error of what the runs say of a class, at intervals of 15 and of 60 minutes. Fitted on the
tuning parts of AMPds2, UCI and REDD."""

# Reconciliation, by class in their order: boiler, cooking, cooling, vehicle, fridge, heating, lights, others,
# standby, washing.

DAY_DOUBT = (0.5, 0.8, 0.5, 0.0, 0.1, 0.5, 0.3, 1.0, 0.04, 0.9)
"""Relative error of a class's energy on a single day. Own choice: what runs all day hardly differs."""

DAY_FLOOR = 0.2
"""Share of a class's mean day that a day's error has at least. Own choice."""

BOUND_RESOLUTION_S = (900.0, 1800.0, 3600.0)
BOUND_FACTORS = (
    (1.4, 1.4, 1.2),
    (1.15, 1.75, 1.05),
    (1.15, 1.15, 1.75),
    (1.0, 2.0, 5.0),
    (1.05, 1.0, 1.0),
    (1.15, 1.15, 1.0),
    (1.05, 1.05, 1.05),
    (1.0, 1.0, 1.0),
    (1.0, 1.05, 1.2),
    (2.0, 1.75, 1.0),
)
"""What a class's standard deviation is multiplied by at intervals of such lengths, so that the bounds hold about 80 %
of the home-months; linear between. Fitted on the tuning parts of AMPds2, REDD, 661, UCI, London with charges and the
simulated homes: the 80 % quantile of the errors over 1.28 standard deviations, every home weighing one, two homes of
factor 1 added; none is made narrower, since few homes agree by chance. Of sets left out of the fit in turn, these are
less covered: washing (27 to 63 %) and cooking (32 to 77 %) of the simulated homes, cooking of AMPds2 (33 %), the boiler
of UCI (7 to 50 %), charges of 661 at 15 minutes (50 %) and of London at 60 (54 %), heating and cooling 61 to 75 %."""

GENERATOR_CONFIDENCE = 0.5
"""What is left of the confidence in a home that generates: its meter shows what is drawn from the grid only. Own
choice."""
