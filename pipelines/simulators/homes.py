"""What a simulated home is: its place, its people, its building and the appliances it owns."""

from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipelines.errors import RejectedInput


@dataclass(frozen=True, kw_only=True)
class Fridge:
    """One fridge, freezer or both.

    Parameters
    ----------
    annual_kwh : float, [kWh per year at a room of 20 °C]
    compressor_w : float, [W]
        Power while the compressor runs.
    """

    annual_kwh: float = 240.0
    compressor_w: float = 95.0


@dataclass(frozen=True, kw_only=True)
class Boiler:
    """An electric hot-water tank.

    Parameters
    ----------
    tank_litres, element_w : float, [l], [W]
    off_above_c : float or None, [°C]
        Outdoor temperature of the day above which the home switches it off; None never does.
    """

    tank_litres: float
    element_w: float = 3000.0
    off_above_c: float | None = None


@dataclass(frozen=True, kw_only=True)
class Heating:
    """Electric space heating of the whole home.

    Parameters
    ----------
    kind : {'heat_pump', 'resistive'}
        A modulating air-source heat pump, or radiators switched on and off.
    electric_w : float, [W]
        Greatest electric power.
    setpoint_c, setback_k : float, [°C], [K]
        Temperature while people are awake, and how much lower it is while they sleep.
    """

    kind: Literal["heat_pump", "resistive"]
    electric_w: float
    setpoint_c: float = 21.0
    setback_k: float = 0.0


@dataclass(frozen=True, kw_only=True)
class AirConditioner:
    """A fixed-speed air conditioner in a part of the home.

    Parameters
    ----------
    electric_w : float, [W]
    efficiency : float
        Heat removed per electric energy.
    room_share : float
        Part of the home that is cooled, 0 to 1.
    usage_hours : (int, int), [local hour]
        From the first up to the second; it may cross midnight. Equal hours are the whole day.
    """

    electric_w: float
    efficiency: float = 3.0
    setpoint_c: float = 25.0
    room_share: float = 1.0
    usage_hours: tuple[int, int] = (0, 0)


@dataclass(frozen=True, kw_only=True)
class ElectricVehicle:
    """A car charged at home.

    Parameters
    ----------
    charger_w : float, [W]
    km_per_day : float, [km]
        Mean distance.
    battery_kwh : float, [kWh]
    kwh_per_100km : float, [kWh]
        Drawn from the wall at 20 °C.
    """

    charger_w: float
    km_per_day: float
    battery_kwh: float = 60.0
    kwh_per_100km: float = 17.0


@dataclass(frozen=True, kw_only=True)
class Household:
    """A home, its people and what they own; None or False is what they do not.

    Parameters
    ----------
    zone : str
        IANA name; people live by its wall clock.
    latitude, longitude : float, [°]
    people, people_in_daytime : int
        Who lives there, and how many of them stay at home on a working day.
    floor_area_m2, loss_w_per_k : float, [m2], [W/K]
        The building; the loss counts only where heating or cooling is electric.
    dinner_hour : float, [local hour]
    lights_w, electronics_w, fans_w, standby_w : float, [W]
        A usual dark evening, screens with everyone at home, fans in the heat, and what never stops.

    Raises
    ------
    RejectedInput
        A field is out of its range or the zone is unknown.
    """

    zone: str
    latitude: float
    longitude: float
    people: int
    people_in_daytime: int
    floor_area_m2: float
    loss_w_per_k: float
    fridges: tuple[Fridge, ...] = (Fridge(),)
    has_washing_machine: bool = True
    has_dishwasher: bool = False
    dryer: Literal["vented", "heat_pump"] | None = None
    cooking: Literal["electric", "gas"] = "electric"
    dinner_hour: float = 18.5
    boiler: Boiler | None = None
    heating: Heating | None = None
    cooling: AirConditioner | None = None
    vehicle: ElectricVehicle | None = None
    lights_w: float
    electronics_w: float
    fans_w: float = 0.0
    standby_w: float

    def __post_init__(self) -> None:
        wrong = {
            "latitude": not -90 <= self.latitude <= 90,
            "longitude": not -180 <= self.longitude <= 180,
            "people": self.people < 1,
            "people_in_daytime": not 0 <= self.people_in_daytime <= self.people,
            "floor_area_m2": not self.floor_area_m2 > 0,
            "loss_w_per_k": not self.loss_w_per_k > 0,
        }
        errors = {name: ["Out of range."] for name, is_wrong in wrong.items() if is_wrong}
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError):
            errors["zone"] = ["Not an IANA time zone."]
        if errors:
            raise RejectedInput(errors)


LONDON_FLAT = Household(
    zone="Europe/London",
    latitude=51.51,
    longitude=-0.13,
    people=2,
    people_in_daytime=0,
    floor_area_m2=60.0,
    loss_w_per_k=110.0,
    has_dishwasher=True,
    lights_w=110.0,
    electronics_w=140.0,
    standby_w=45.0,
)
"""Two people who work, gas heating and hot water, everything else electric."""

STOCKHOLM_HOUSE = Household(
    zone="Europe/Stockholm",
    latitude=59.33,
    longitude=18.07,
    people=4,
    people_in_daytime=0,
    floor_area_m2=140.0,
    loss_w_per_k=160.0,
    fridges=(Fridge(annual_kwh=200.0, compressor_w=85.0), Fridge(annual_kwh=250.0, compressor_w=100.0)),
    has_dishwasher=True,
    dryer="heat_pump",
    dinner_hour=17.75,
    boiler=Boiler(tank_litres=250.0, element_w=3000.0),
    heating=Heating(kind="heat_pump", electric_w=4000.0),
    vehicle=ElectricVehicle(charger_w=7400.0, km_per_day=34.0),
    lights_w=200.0,
    electronics_w=380.0,
    standby_w=120.0,
)
"""A family in an all-electric house: heat pump, tank and car."""

KOLKATA_HOME = Household(
    zone="Asia/Kolkata",
    latitude=22.57,
    longitude=88.36,
    people=4,
    people_in_daytime=2,
    floor_area_m2=75.0,
    loss_w_per_k=230.0,
    fridges=(Fridge(annual_kwh=230.0, compressor_w=110.0),),
    cooking="gas",
    dinner_hour=20.5,
    boiler=Boiler(tank_litres=15.0, element_w=2000.0, off_above_c=22.0),
    cooling=AirConditioner(electric_w=1200.0, room_share=0.3, usage_hours=(21, 7)),
    lights_w=70.0,
    electronics_w=90.0,
    fans_w=120.0,
    standby_w=20.0,
)
"""Three generations, gas to cook on, a bedroom cooled at night and a small geyser in winter."""
