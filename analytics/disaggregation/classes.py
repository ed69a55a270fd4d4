"""The classes of appliances, as columns."""

CLASSES = (
    "boiler",
    "cooking",
    "cooling",
    "electric_vehicle",
    "fridge",
    "heating",
    "lights",
    "others",
    "standby",
    "washing",
)
"""Appliance classes, the columns of every result. A home without an appliance list shows `cooking` and
`heating` together as `cooking_heating`, which is done where results are printed and stored."""

N_CLASSES = len(CLASSES)

BOILER, COOKING, COOLING, VEHICLE, FRIDGE, HEATING, LIGHTS, OTHERS, STANDBY, WASHING = range(N_CLASSES)
