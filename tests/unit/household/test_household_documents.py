"""What a household's documents may hold: every key, every enumeration, every fault by its place."""

from decimal import Decimal

import pytest

from pipelines.errors import RejectedInput
from pipelines.household.documents import check_appliances, check_geolocation, check_property
from pipelines.household.fields import APPLIANCES

FLAT = {
    "property_type": "HOME",
    "home_type": "FLAT",
    "home_usage_type": "PRIMARY",
    "home_size": Decimal("49.8"),
    "bedroom_amount": 2,
    "power_generator_source": "NONE",
    "people_amount": 2,
    "people_amount_in_day_time": 0,
    "people": [{"age_range": "ADULT", "amount": 2}],
    "version": "1.0",
}
# One appliance of each key, as the original describes it.
EXAMPLES = {
    "AC": {"type": "CENTRALISED", "usage_type": "SUMMER"},
    "ELECTRIC_BOILER": {
        "usage_type": "WATER_HEATING",
        "coupled_with_solar_thermal_system": "NOT_SURE",
        "water_tank": True,
    },
    "ELECTRIC_HEATING": {"type": "HEAT_STORAGE"},
    "GAS_HEATING": {"any_electric_heater": False},
    "ELECTRIC_OVEN": {"type": "REGULAR"},
    "ELECTRIC_STOVE": {"type": "INDUCTION"},
    "ELECTRIC_VEHICLE": {"type": "CAR", "wattages": [7200]},
    "FRIDGE": {"type": "SMALL_ELECTRIC_WINE_CELLAR"},
    "TUMBLE_DRYER": {"type": "I_DONT_KNOW", "usage_types": ["AUTUMN", "WINTER"]},
    "OTHER": {"name": "Sprinklers"},
    "DEHUMIDIFIER": {},
    "DISHWASHER": {},
    "ELECTRIC_LAWN_MOWER": {},
    "ELECTRIC_SHOWER": {},
    "HUMIDIFIER": {},
    "JACUZZI": {},
    "KETTLE": {},
    "POOL_PUMP": {},
    "WASHING_MACHINE": {},
}
ENUMERATIONS = {
    ("AC", "type"): "CENTRALISED MINI_SPLIT WINDOW OTHER I_DONT_KNOW",
    ("AC", "usage_type"): "SUMMER WINTER BOTH",
    ("ELECTRIC_BOILER", "usage_type"): "SPACE_HEATING WATER_HEATING BOTH",
    ("ELECTRIC_BOILER", "coupled_with_solar_thermal_system"): "YES NO NOT_SURE",
    ("ELECTRIC_HEATING", "type"): "HEAT_PUMP HEAT_STORAGE RADIATOR UNDERFLOOR OTHER",
    ("ELECTRIC_OVEN", "type"): "MICROWAVE MINI REGULAR",
    ("ELECTRIC_STOVE", "type"): "ELECTRIC INDUCTION",
    ("ELECTRIC_VEHICLE", "type"): "BIKE CAR MOTORBIKE SCOOTER",
    ("FRIDGE", "type"): (
        "FRIDGE FREEZER FRIDGE_AND_FREEZER SMALL_ELECTRIC_WINE_CELLAR LARGE_ELECTRIC_WINE_CELLAR"
    ),
    ("TUMBLE_DRYER", "type"): "CONDENSER HEAT_PUMP VENTED I_DONT_KNOW",
}
PROPERTY_ENUMERATIONS = {
    "home_type": "FLAT HOUSE",
    "home_usage_type": "PRIMARY SECONDARY",
    "power_generator_source": "SOLAR HYDROELECTRICITY WIND BATTERY OTHER NONE",
}


def appliance(key, **changes):
    return {"key": key, "amount": 1, **EXAMPLES[key], **changes}


def listed(*appliances):
    return {"appliances": list(appliances), "version": "1.0"}


def faults_of(check, payload):
    with pytest.raises(RejectedInput) as refused:
        check(payload)
    return refused.value.errors


def without(document, name):
    return {k: v for k, v in document.items() if k != name}


def test_the_keys_are_the_nineteen_of_the_original():
    assert set(APPLIANCES) == set(EXAMPLES)
    assert len(APPLIANCES) == 19


def test_an_appliance_of_every_key_is_kept_as_it_was_sent():
    everything = listed(*(appliance(key) for key in EXAMPLES))

    checked = check_appliances(everything)

    assert checked.document == everything
    assert checked.warnings == ()


@pytest.mark.parametrize(
    ("key", "field"), [(key, field) for key, more in EXAMPLES.items() for field in ("key", "amount", *more)]
)
def test_every_field_of_an_appliance_is_required_and_never_null(key, field):
    good, place = appliance("KETTLE"), f"appliances[1].{field}"
    bad = appliance(key)

    assert faults_of(check_appliances, listed(good, without(bad, field)))[place] == ["This field is required."]
    assert faults_of(check_appliances, listed(good, bad | {field: None}))[place] == ["This field may not be null."]


@pytest.mark.parametrize(("key", "field"), ENUMERATIONS)
def test_every_word_of_an_enumeration_is_taken_and_no_other(key, field):
    words = ENUMERATIONS[key, field].split()

    for word in words:
        assert check_appliances(listed(appliance(key, **{field: word}))).document["appliances"][0][field] == word
    for wrong in (words[0].lower(), words[0] + " ", "", "SOMETHING", 1, True, [words[0]], "MICROWAVE | MINI"):
        assert list(faults_of(check_appliances, listed(appliance(key, **{field: wrong})))) == [
            f"appliances[0].{field}"
        ]


@pytest.mark.parametrize("wattages", [[], [7200], [7200, 3600, 3600]])
def test_a_vehicle_has_as_many_wattages_as_units(wattages):
    faults = faults_of(check_appliances, listed(appliance("ELECTRIC_VEHICLE", amount=2, wattages=wattages)))

    assert list(faults) == ["appliances[0].wattages"]
    assert "(2)" in faults["appliances[0].wattages"][0]


@pytest.mark.parametrize("wattages", ["7200", [7200.5], ["7200"], [True], [-1], 7200, {}, [None]])
def test_wattages_are_whole_numbers(wattages):
    faults = faults_of(check_appliances, listed(appliance("ELECTRIC_VEHICLE", wattages=wattages)))

    assert list(faults) == ["appliances[0].wattages"]


@pytest.mark.parametrize("seasons", [[], ["SUMMER"], ["AUTUMN", "SPRING", "SUMMER", "WINTER"]])
def test_a_dryer_runs_in_any_seasons(seasons):
    sent = listed(appliance("TUMBLE_DRYER", usage_types=seasons))

    assert check_appliances(sent).document == sent


@pytest.mark.parametrize("seasons", ["SUMMER", ["MONSOON"], ["summer"], [None], [1], None])
def test_a_season_is_one_of_four_in_a_list(seasons):
    faults = faults_of(check_appliances, listed(appliance("TUMBLE_DRYER", usage_types=seasons)))

    assert list(faults) == ["appliances[0].usage_types"]


def test_a_dryer_needs_usage_types_and_not_the_singular():
    dryer = without(appliance("TUMBLE_DRYER"), "usage_types") | {"usage_type": "SUMMER"}

    assert list(faults_of(check_appliances, listed(dryer))) == ["appliances[0].usage_types"]


@pytest.mark.parametrize(
    "name", ["", " ", "A Electronic Device", "Öfen & 'Zeug'", "電気 🏠", "x" * 1000, "null\n"]
)
def test_another_appliance_has_any_name(name):
    sent = listed(appliance("OTHER", name=name))

    assert check_appliances(sent).document == sent


@pytest.mark.parametrize("name", [1, None, "x" * 1001, "nul\0", "\ud800"])
def test_a_name_is_a_text_that_can_be_stored(name):
    assert list(faults_of(check_appliances, listed(appliance("OTHER", name=name)))) == ["appliances[0].name"]


def test_a_key_may_repeat_and_the_list_may_be_empty():
    twice = listed(appliance("AC"), appliance("AC", type="WINDOW", usage_type="BOTH"))

    assert check_appliances(twice).document == twice
    assert check_appliances(listed()).document == listed()


@pytest.mark.parametrize("amount", [-1, 1.5, "1", True, 1001, 10**30])
def test_an_amount_is_a_whole_number(amount):
    assert list(faults_of(check_appliances, listed(appliance("KETTLE", amount=amount)))) == [
        "appliances[0].amount"
    ]


def test_every_fault_of_every_appliance_is_named():
    faults = faults_of(
        check_appliances,
        {"appliances": [{"key": "TOASTER", "amount": 1}, appliance("KETTLE"), {"key": "AC", "amount": "2"}]},
    )

    assert faults == {
        "version": ["This field is required."],
        "appliances[0].key": ['"TOASTER" is not a valid choice.'],
        "appliances[2].amount": ["A valid integer is required."],
        "appliances[2].type": ["This field is required."],
        "appliances[2].usage_type": ["This field is required."],
    }


@pytest.mark.parametrize("payload", [None, [], "x", 1, [appliance("KETTLE")]])
@pytest.mark.parametrize("check", [check_property, check_appliances, check_geolocation])
def test_a_document_is_an_object(check, payload):
    assert list(faults_of(check, payload)) == ["non_field_errors"]


@pytest.mark.parametrize("items", [{}, "x", 1, None, [1], [[]], [None]])
def test_appliances_are_a_list_of_objects(items):
    assert list(faults_of(check_appliances, {"appliances": items, "version": "1.0"})) == ["appliances"]


def test_an_item_that_is_no_object_is_named_by_its_place():
    faults = faults_of(check_appliances, listed(appliance("KETTLE"), "kettle"))

    assert faults == {"appliances": ["Item 1: Expected an object."]}


def test_a_list_has_at_most_two_hundred_appliances():
    assert len(check_appliances(listed(*[appliance("KETTLE")] * 200)).document["appliances"]) == 200
    assert list(faults_of(check_appliances, listed(*[appliance("KETTLE")] * 201))) == ["appliances"]


def test_fields_that_mean_nothing_are_ignored_and_said():
    checked = check_appliances({**listed(appliance("KETTLE", colour="red")), "Größe\n": 1})

    assert checked.document == listed(appliance("KETTLE"))
    assert checked.warnings == (
        "Gr\\xf6\\xdfe\\n: ignored, no field of this document",
        "appliances[0].colour: ignored, no field of this document",
    )


@pytest.mark.parametrize("version", ["2.0", 1.0, 1, None, ""])
@pytest.mark.parametrize(("check", "good"), [(check_property, FLAT), (check_appliances, listed())])
def test_the_version_is_the_text_one_point_zero(check, good, version):
    assert list(faults_of(check, good | {"version": version})) == ["version"]


def test_a_home_is_kept_as_it_was_sent():
    checked = check_property(FLAT)

    assert checked.document == FLAT | {"home_size": 49.8}
    assert isinstance(checked.document["home_size"], float)
    assert checked.warnings == ()


@pytest.mark.parametrize("field", FLAT)
def test_every_field_of_a_home_is_required_and_never_null(field):
    assert faults_of(check_property, without(FLAT, field)) == {field: ["This field is required."]}
    assert faults_of(check_property, FLAT | {field: None}) == {field: ["This field may not be null."]}


@pytest.mark.parametrize("field", PROPERTY_ENUMERATIONS)
def test_every_word_of_a_property_is_taken_and_no_other(field):
    for word in PROPERTY_ENUMERATIONS[field].split():
        assert check_property(FLAT | {field: word}).document[field] == word
    for wrong in ("", "none", "CASTLE", 1, [], {}):
        assert list(faults_of(check_property, FLAT | {field: wrong})) == [field]


@pytest.mark.parametrize("kind", ["OFFICE", "COMMERCIAL", "INDUSTRIAL", "INDUSTRY"])
def test_what_is_no_home_needs_three_fields(kind):
    sent = {"property_type": kind, "power_generator_source": "NONE", "version": "1.0"}

    document = check_property(sent).document

    assert document == sent | {"property_type": "INDUSTRIAL" if kind == "INDUSTRY" else kind}
    for field in sent:
        assert list(faults_of(check_property, without(sent, field))) == [field]


def test_fields_of_a_home_are_ignored_elsewhere_and_said():
    checked = check_property(FLAT | {"property_type": "OFFICE", "home_size": "?", "people": 7})

    assert set(checked.document) == {"property_type", "power_generator_source", "version"}
    assert "home_size: ignored, no field of this document" in checked.warnings


@pytest.mark.parametrize("kind", ["home", "HOUSE", "", None, 3, ["HOME"]])
def test_a_property_is_of_one_of_four_types(kind):
    assert list(faults_of(check_property, FLAT | {"property_type": kind})) == ["property_type"]


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("home_size", 0),
        ("home_size", -5),
        ("home_size", "80"),
        ("home_size", True),
        ("home_size", Decimal("NaN")),
        ("home_size", Decimal("1e999999")),
        ("home_size", 10**400),
        ("bedroom_amount", 0),
        ("bedroom_amount", Decimal("1.5")),
        ("people_amount", 0),
        ("people_amount_in_day_time", -1),
        ("people_amount_in_day_time", 3),
        ("people", {}),
        ("people", "ADULT"),
    ],
)
def test_a_number_out_of_its_range_is_named(field, wrong):
    assert list(faults_of(check_property, FLAT | {field: wrong})) == [field]


def test_people_may_be_an_empty_list():
    checked = check_property(FLAT | {"people": []})

    assert checked.document["people"] == []
    assert checked.warnings == ()


@pytest.mark.parametrize("ages", ["ZERO_TO_FIVE", "SIX_TO_EIGHTEEN", "ADULT", "PENSIONER"])
def test_every_age_is_taken(ages):
    people = [{"age_range": ages, "amount": 2}]

    assert check_property(FLAT | {"people": people}).document["people"] == people


def test_faults_of_people_are_named_by_their_place():
    people = [{"age_range": "ADULT", "amount": 1}, {"age_range": "OLD", "amount": -1}, {}]

    assert list(faults_of(check_property, FLAT | {"people": people})) == [
        "people[1].age_range",
        "people[1].amount",
        "people[2].age_range",
        "people[2].amount",
    ]


def test_people_that_do_not_add_up_are_a_warning():
    checked = check_property(FLAT | {"people": [{"age_range": "ADULT", "amount": 3, "name": "x"}]})

    assert checked.document["people"] == [{"age_range": "ADULT", "amount": 3}]
    assert checked.warnings == (
        "people: the amounts do not add up to people_amount",
        "people[0].name: ignored, no field of this document",
    )


@pytest.mark.parametrize("source", ["SOLAR", "BATTERY", "OTHER"])
def test_a_home_that_produces_energy_is_accepted_with_a_warning(source):
    checked = check_property(FLAT | {"power_generator_source": source})

    assert checked.document["power_generator_source"] == source
    assert checked.warnings[0].startswith("power_generator_source: ")


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [(Decimal("51.509865"), Decimal("-0.118092")), (0, 0), (90, 180), (-90, -180), (Decimal("-0.0"), 0)],
)
def test_every_place_on_earth_is_one(latitude, longitude):
    document = check_geolocation({"latitude": latitude, "longitude": longitude}).document

    assert document == {"latitude": float(latitude), "longitude": float(longitude)}
    assert str(document["latitude"]) != "-0.0"


@pytest.mark.parametrize(
    "wrong", [Decimal("90.0001"), -91, "51.5", None, True, Decimal("NaN"), Decimal("Infinity"), [51], 10**400]
)
def test_a_latitude_beyond_the_poles_or_no_number_is_named(wrong):
    assert list(faults_of(check_geolocation, {"latitude": wrong, "longitude": 0})) == ["latitude"]


@pytest.mark.parametrize("wrong", [Decimal("180.0001"), -181, "0", None])
def test_a_longitude_beyond_the_date_line_is_named(wrong):
    assert list(faults_of(check_geolocation, {"latitude": 0, "longitude": wrong})) == ["longitude"]


def test_both_coordinates_are_needed():
    assert list(faults_of(check_geolocation, {})) == ["latitude", "longitude"]
