"""The shape in which every source hands over its readings: columns, with each name standing once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, kw_only=True)
class NamedReadings:
    """Readings that name their meter and series; ``pair`` [n] points into ``pairs``, so a name stands once."""

    pairs: list[tuple[str, str]]
    pair: npt.NDArray[np.int32]
    times_us: npt.NDArray[np.int64]
    mantissa: npt.NDArray[np.int64]
    scale: npt.NDArray[np.int16]
