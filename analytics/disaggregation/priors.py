"""Every number the disaggregation assumes rather than measures, each with its source.

"Own choice" marks a number that no source gives; it is to be refitted on labelled public sets.
"""

FRIDGE_KWH_PER_YEAR = 261.0
"""Mean use of a household's cold appliance [kWh/year]. Source: Energy Consumption in the UK (ECUK)."""

FRIDGE_MEAN_W = FRIDGE_KWH_PER_YEAR * 1000 / (365.25 * 24)
"""Mean power of one cold appliance, about 29.8 [W]."""

FRIDGE_SHARE_RESOLUTION_S = (900.0, 3600.0)
FRIDGE_SHARE_OF_MINIMUM = (0.0, 0.7)
"""Share of a fridge's mean power that is in the day's least interval, against the interval's length.

About 0 up to 15 minutes, since the compressor rests longer than that, and 0.7 at 60 minutes with one
unit; linear between. Source: disaggregation method, stage 1."""

STANDBY_REFERENCE_DAYS = 91
"""Length of the reference the weekly standby is shrunk to: 13 weeks. Source: method, stage 1."""

STANDBY_REFERENCE_WEIGHT = 3.0
"""Days of a week that weigh as much as its reference. Own choice: one of daily minima in three is
disturbed by a night of use, so a full week counts 0.7 and a single day 0.25."""

MIN_DAY_COVERAGE = 0.5
"""Share of a day that must be validly measured for its least power to be the day's. Own choice: with
less, the quiet hours of the night may be among the missing."""
