"""What is kept of each local day of a home: the columns of its statistics.

A month of days is a small matrix of 16-bit whole numbers, under 1 kB, so a home's 13 months stay under
12 kB. It depends on the intervals of those days alone.
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
    ("quiet_w", 0.1),
    ("maximum_w", 1.0),
    ("plateau_w", 1.0),
    ("plateau_min", 1.0),
    ("plateau_start_min", 1.0),
)
"""Name and unit of one step of each column. Powers are means of the valid time, 0 without any; values
beyond 65,535 steps stay there. `minimum_w` is the power of the least valid interval, `quiet_w` the least mean
over two hours. `plateau_*` describe the day's longest flat block of high power: its level above what was
around it, its length and its start after local midnight."""

N_COLUMNS = len(COLUMNS)

STEPS = tuple(step for _, step in COLUMNS)

PART0_POWER_W, PART0_VALID_SHARE, MINIMUM_W, QUIET_W, MAXIMUM_W, PLATEAU_W = 0, 4, 8, 9, 10, 11
"""Columns by name; the parts and the description of the plateau follow their first."""

Statistics = npt.NDArray[np.uint16]
"""Shape (days, N_COLUMNS): consecutive local days; a day without valid intervals is a row of zeros."""
