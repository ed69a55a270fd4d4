"""The dictionary of a household's fields: it checks requests, describes the API and writes the documentation."""

from pipelines.fields import Field, Kind

VERSION = "1.0"
HOME = "HOME"
PROPERTY_TYPES = (HOME, "OFFICE", "COMMERCIAL", "INDUSTRIAL")
PROPERTY_ALIASES = {"INDUSTRY": "INDUSTRIAL"}
GENERATOR_SOURCES = ("SOLAR", "HYDROELECTRICITY", "WIND", "BATTERY", "OTHER", "NONE")
NO_GENERATOR = "NONE"
MOST_APPLIANCES = 200
MOST_GROUPS = 50
_MOST_PEOPLE = 1000
_MOST_UNITS = 1000


def _word(name: str, choices: tuple[str, ...], doc: str) -> Field:
    return Field(name=name, required=True, choices=choices, doc=doc)


def _count(name: str, doc: str, *, minimum: int = 0, maximum: int = _MOST_PEOPLE) -> Field:
    return Field(name=name, kind=Kind.INTEGER, required=True, minimum=minimum, maximum=maximum, doc=doc)


def _number(name: str, minimum: int, maximum: int, doc: str) -> Field:
    return Field(name=name, kind=Kind.NUMBER, required=True, minimum=minimum, maximum=maximum, doc=doc)


_VERSION = _word("version", (VERSION,), "Of this document")
PROPERTY = (
    _word("property_type", (*PROPERTY_TYPES, *PROPERTY_ALIASES), "INDUSTRY is kept as INDUSTRIAL"),
    _word("power_generator_source", GENERATOR_SOURCES, "What produces energy there"),
    _VERSION,
)
"""Fields of every property."""
HOME_ONLY = (
    _word("home_type", ("FLAT", "HOUSE"), "Kind of home"),
    _word("home_usage_type", ("PRIMARY", "SECONDARY"), "Lived in all year, or at times"),
    _number("home_size", 1, 100_000, "Floor area [m2]"),
    _count("bedroom_amount", "Bedrooms", minimum=1),
    _count("people_amount", "People who live there", minimum=1),
    _count("people_amount_in_day_time", "Those at home on a working day; at most people_amount"),
    Field(
        name="people",
        kind=Kind.OBJECTS,
        required=True,
        doc="People by age, may be empty; a sum other than people_amount is a warning",
    ),
)
"""Further fields of a property of type HOME."""
PERSON_GROUP = (
    _word("age_range", ("ZERO_TO_FIVE", "SIX_TO_EIGHTEEN", "ADULT", "PENSIONER"), "Age"),
    _count("amount", "People of this age"),
)
GEOLOCATION = (
    _number("latitude", -90, 90, "North of the equator [°]"),
    _number("longitude", -180, 180, "East of Greenwich [°]"),
)

APPLIANCE_LIST = (
    Field(name="appliances", kind=Kind.OBJECTS, required=True, doc="May be empty: there are none of these"),
    _VERSION,
)
AMOUNT = _count("amount", "Units", maximum=_MOST_UNITS)
WATTAGES = Field(
    name="wattages",
    kind=Kind.INTEGERS,
    required=True,
    minimum=0,
    maximum=1_000_000,
    doc="Power of each charger [W], as many as amount; 0 where it is not known",
)
_DONT_KNOW = "I_DONT_KNOW"
APPLIANCES: dict[str, tuple[Field, ...]] = {
    "AC": (
        _word("type", ("CENTRALISED", "MINI_SPLIT", "WINDOW", "OTHER", _DONT_KNOW), "Kind of unit"),
        _word("usage_type", ("SUMMER", "WINTER", "BOTH"), "When it runs; in winter it counts as heating"),
    ),
    "DEHUMIDIFIER": (),
    "DISHWASHER": (),
    "ELECTRIC_BOILER": (
        _word("usage_type", ("SPACE_HEATING", "WATER_HEATING", "BOTH"), "What it heats"),
        _word("coupled_with_solar_thermal_system", ("YES", "NO", "NOT_SURE"), "Whether the sun helps"),
        Field(name="water_tank", kind=Kind.BOOLEAN, required=True, doc="Whether it has a tank"),
    ),
    "ELECTRIC_HEATING": (
        _word("type", ("HEAT_PUMP", "HEAT_STORAGE", "RADIATOR", "UNDERFLOOR", "OTHER"), "Kind of heater"),
    ),
    "ELECTRIC_LAWN_MOWER": (),
    "ELECTRIC_OVEN": (_word("type", ("MICROWAVE", "MINI", "REGULAR"), "Kind of oven"),),
    "ELECTRIC_SHOWER": (),
    "ELECTRIC_STOVE": (_word("type", ("ELECTRIC", "INDUCTION"), "Kind of stove"),),
    "ELECTRIC_VEHICLE": (_word("type", ("BIKE", "CAR", "MOTORBIKE", "SCOOTER"), "Kind of vehicle"), WATTAGES),
    "FRIDGE": (
        _word(
            "type",
            (
                "FRIDGE",
                "FREEZER",
                "FRIDGE_AND_FREEZER",
                "SMALL_ELECTRIC_WINE_CELLAR",
                "LARGE_ELECTRIC_WINE_CELLAR",
            ),
            "Kind of unit",
        ),
    ),
    "GAS_HEATING": (
        Field(
            name="any_electric_heater",
            kind=Kind.BOOLEAN,
            required=True,
            doc="Whether electric heaters help it",
        ),
    ),
    "HUMIDIFIER": (),
    "JACUZZI": (),
    "KETTLE": (),
    "OTHER": (Field(name="name", required=True, max_length=1000, doc="Any text; never shown in results"),),
    "POOL_PUMP": (),
    "TUMBLE_DRYER": (
        _word("type", ("CONDENSER", "HEAT_PUMP", "VENTED", _DONT_KNOW), "Kind of dryer"),
        Field(
            name="usage_types",
            kind=Kind.TEXTS,
            required=True,
            choices=("AUTUMN", "SPRING", "SUMMER", "WINTER"),
            doc="Seasons in which it runs",
        ),
    ),
    "WASHING_MACHINE": (),
}
"""Further fields per key, beside ``key`` and ``amount``; all of them are required."""
KEY = _word("key", tuple(APPLIANCES), "What it is; may repeat, once per kind")
