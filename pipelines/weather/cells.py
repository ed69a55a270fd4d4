"""The grid that temperatures are kept on: cells of 0.1 degrees, which tell no home from its neighbours."""

import math
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

EARTH_KM = 6371.0
NEAR_KM = 30.0
"""A temperature serves homes this far from its cell: about the distance of synoptic stations in Europe."""


class Cell(NamedTuple):
    """The middle of a cell [°]; it reaches 0.05° (at most 5.6 km) to each side."""

    latitude: Decimal
    longitude: Decimal


def cell_of(latitude: float, longitude: float) -> Cell:
    """Return the cell that a place lies in; the meridian of 180 degrees has one name, -180."""
    north, east = round(latitude * 10), round(longitude * 10)
    return Cell(Decimal(north) / 10, Decimal(-1800 if east == 1800 else east) / 10)


def distances_km(
    cell: Cell, latitude: npt.NDArray[np.float64], longitude: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the great-circle distances from a cell to places (haversine) [km]."""
    phi, phis = math.radians(cell.latitude), np.radians(latitude)
    across = np.sin(np.radians(longitude - float(cell.longitude)) / 2)
    chord = np.sin((phis - phi) / 2) ** 2 + math.cos(phi) * np.cos(phis) * across**2
    return np.asarray(2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(chord, 0.0, 1.0))))
