"""Homes with a car, made for the tests of its charges: a quiet home and blocks of constant power."""

from dataclasses import dataclass, field

import numpy as np

from analytics.disaggregation.columns import N_COLUMNS, PLATEAU_W
from analytics.disaggregation.stages.plateaus import longest_plateau
from analytics.disaggregation.stages.vehicles import separate_vehicles

DAY_S = 86_400


@dataclass
class Charges:
    """What the stage found in a home; `out_wh` is NaN where nothing was filled."""

    out_wh: np.ndarray
    sessions: list[tuple[float, float, float]]
    variance_wh2: float
    posterior: float


@dataclass
class ChargedHome:
    """Days of a home in UTC at one spacing; charges are (start [h], length [h], power [W])."""

    days: int = 31
    step_s: int = 900
    charges: list[tuple[float, float, float]] = field(default_factory=list)
    base_w: float = 150.0
    seed: int = 1

    def __post_init__(self):
        n = self.days * DAY_S // self.step_s
        self.start_us = np.arange(n, dtype=np.int64) * self.step_s * 1_000_000
        self.duration_s = np.full(n, self.step_s, dtype=np.int32)
        noise = np.random.default_rng(self.seed).uniform(0.5, 1.5, n)
        self.residual_wh = self.base_w * noise * self.step_s / 3600
        for start_h, length_h, power_w in self.charges:
            first = self.start_us / 3.6e9
            overlap = np.minimum(first + self.step_s / 3600, start_h + length_h) - np.maximum(first, start_h)
            self.residual_wh += np.maximum(overlap, 0.0) * power_w
        self.is_valid = np.ones(n, dtype=bool)
        self.celsius = np.full(n, 15.0)

    def experience(self):
        rows = np.zeros((self.days, N_COLUMNS), dtype=np.uint16)
        per_day = DAY_S // self.step_s
        for day in range(self.days):
            cut = slice(day * per_day, (day + 1) * per_day)
            energy_uwh = np.rint(self.residual_wh[cut] * 1e6).astype(np.int64)
            least_w = float((self.residual_wh[cut] * 3600 / self.step_s).min())
            level, length, first = longest_plateau(
                self.duration_s[cut], energy_uwh, self.is_valid[cut], False, least_w
            )
            if length:
                rows[day, PLATEAU_W : PLATEAU_W + 3] = (level, length / 60, first * self.step_s / 60)
        return rows

    def find(self, *, wattages=(0.0,), ownership=1, experience=None):
        n = self.start_us.size
        out_wh, wh = np.full(n, np.nan), np.empty(n)
        start_us, end_us = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
        seconds = self.start_us // 1_000_000
        count, variance, posterior = separate_vehicles(
            self.start_us,
            self.duration_s,
            self.residual_wh,
            self.is_valid,
            np.arange(self.days + 1) * (DAY_S // self.step_s),
            seconds % DAY_S,
            self.celsius,
            self.experience() if experience is None else experience,
            0,
            np.array(wattages, dtype=np.float64),
            ownership,
            out_wh,
            start_us,
            end_us,
            wh,
        )
        sessions = [(start_us[k] / 3.6e9, end_us[k] / 3.6e9, wh[k]) for k in range(count)]
        return Charges(out_wh, sessions, variance, posterior)
