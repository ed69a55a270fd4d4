"""What the people of a simulated home say of it: valid for the API, and true of the home."""

from dataclasses import replace

import pytest

from analytics.disaggregation.households import household_of
from pipelines.household.documents import check_appliances, check_geolocation, check_property
from pipelines.simulators.documents import documents_of
from pipelines.simulators.homes import KOLKATA_HOME, LONDON_FLAT, STOCKHOLM_HOUSE

HOMES = [
    pytest.param(LONDON_FLAT, id="london"),
    pytest.param(STOCKHOLM_HOUSE, id="stockholm"),
    pytest.param(KOLKATA_HOME, id="kolkata"),
]


@pytest.mark.parametrize("home", HOMES)
def test_the_documents_are_what_the_api_takes_without_a_warning(home):
    documents = documents_of(home)

    checked = [
        check_property(documents["property"]),
        check_appliances(documents["appliances"]),
        check_geolocation(documents["geolocation"]),
    ]

    assert [one.warnings for one in checked] == [(), (), ()]
    assert checked[0].document["people_amount"] == home.people
    assert len(checked[1].document["appliances"]) == len(documents["appliances"]["appliances"])


@pytest.mark.parametrize("home", HOMES)
def test_the_list_names_what_the_home_owns_and_nothing_else(home):
    documents = documents_of(home)

    described = household_of(documents["property"], documents["appliances"]["appliances"])

    assert described.has_appliance_list
    assert (described.heats > 0) == (home.heating is not None)
    assert (described.cools > 0) == (home.cooling is not None)
    assert (described.boilers > 0) == (home.boiler is not None)
    assert (described.stoves > 0) == (home.cooking == "electric")
    assert described.ev_wattages_w == (() if home.vehicle is None else (home.vehicle.charger_w,))
    assert sum(described.fridges) == len(home.fridges)


def test_a_home_without_a_washing_machine_lists_none():
    keys = [
        each["key"]
        for each in documents_of(replace(LONDON_FLAT, has_washing_machine=False))["appliances"]["appliances"]
    ]

    assert "WASHING_MACHINE" not in keys
    assert "DISHWASHER" in keys
