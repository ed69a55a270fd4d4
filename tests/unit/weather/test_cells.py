from decimal import Decimal

import numpy as np
import pytest

from pipelines.weather.cells import Cell, cell_of, distances_km


@pytest.mark.parametrize(
    ("latitude", "longitude", "north", "east"),
    [
        (51.509865, -0.118092, "51.5", "-0.1"),
        (-33.8688, 151.2093, "-33.9", "151.2"),
        (90.0, 0.04, "90.0", "0.0"),
        (-90.0, -179.96, "-90.0", "-180.0"),
        (0.0, 180.0, "0.0", "-180.0"),
        (0.0, 179.97, "0.0", "-180.0"),
    ],
)
def test_a_place_lies_in_the_cell_nearest_to_it(latitude, longitude, north, east):
    assert cell_of(latitude, longitude) == Cell(Decimal(north), Decimal(east))


def test_neighbours_share_a_cell_and_cannot_be_told_apart():
    assert cell_of(51.5074, -0.1278) == cell_of(51.4699, -0.0801)


def test_distances_are_those_on_the_globe():
    london = cell_of(51.5, -0.1)

    distance = distances_km(london, np.array([51.5, 48.9, -51.5, 51.5]), np.array([-0.1, 2.4, 179.9, 0.0]))

    assert distance == pytest.approx([0.0, 338.9, 20015.1, 6.92], abs=1.0)
    across = distances_km(cell_of(0.0, 180.0), np.array([0.0]), np.array([179.9]))
    assert across == pytest.approx([11.1], abs=0.1)
