"""What is kept of each local day of a home: 13 months of it identify what one month cannot.

A month of days is a small matrix of 16-bit whole numbers, under 1 kB, so a home's 13 months stay under
10 kB. It depends on the intervals of those days alone.
"""

import numpy as np
import numpy.typing as npt

STATISTICS_VERSION = 1
"""Changes whenever the same intervals may give other statistics; stored ones of another version are made anew."""

HISTORY_DAYS = 396
"""Days before the target days that a result may learn from: 13 months."""

PARTS_OF_DAY_H = (0, 6, 12, 18, 24)
"""Edges of the parts of a local day [h]."""

COLUMNS: tuple[tuple[str, float], ...] = (
    ("part0_power_w", 1.0),
    ("part1_power_w", 1.0),
    ("part2_power_w", 1.0),
    ("part3_power_w", 1.0),
    ("part0_valid_share", 1e-4),
    ("part1_valid_share", 1e-4),
    ("part2_valid_share", 1e-4),
    ("part3_valid_share", 1e-4),
    ("minimum_w", 0.1),
    ("night_spread_w", 0.1),
    ("maximum_w", 1.0),
    ("plateau_w", 1.0),
    ("plateau_min", 1.0),
    ("plateau_start_min", 1.0),
)
"""Name and unit of one step of each column. Powers are means of the valid time, 0 without any; values
beyond 65,535 steps stay there. `plateau_*` describe the day's longest flat block of high power: its level
above what was around it, its length and its start after local midnight."""

N_COLUMNS = len(COLUMNS)

Statistics = npt.NDArray[np.uint16]
"""Shape (days, N_COLUMNS): consecutive local days; a day without valid intervals is a row of zeros."""

