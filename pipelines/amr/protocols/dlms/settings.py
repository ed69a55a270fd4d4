"""How to reach and read a meter: its model file, narrowed by the arguments of a call."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from pipelines.amr.contract import Meter
from pipelines.amr.faults import Misconfigured
from pipelines.amr.models import MeterModel, choose_model, load_models
from pipelines.amr.protocols.dlms.acse import NONE, SECURITIES
from pipelines.amr.protocols.dlms.hdlc import address_octets
from pipelines.amr.protocols.dlms.hdlc_wire import HdlcWire
from pipelines.amr.protocols.dlms.obis import obis_code, obis_text
from pipelines.amr.protocols.dlms.units import ScalerUnit
from pipelines.amr.protocols.dlms.wire import WrapperWire
from pipelines.fields import Field, Kind

WRAPPER, HDLC = "wrapper", "hdlc"
MODELS = load_models(__package__)
DEFAULT_MODEL = "generic"
# One for all models: the name of an archive is made of a call's arguments, which do not tell the meter's model.
DEFAULT_PROFILE = "1-0:99.1.0"

ASSOCIATION_FIELDS = (
    Field(
        name="model", max_length=50, doc="A model file; default: that of the meter's device type, else generic."
    ),
    Field(name="framing", choices=(WRAPPER, HDLC), doc="What carries APDUs: the TCP wrapper or HDLC."),
    Field(name="security", choices=SECURITIES, doc="none, lls (password) or gmac (GUEK and GAK, suite 0)."),
    Field(name="client", kind=Kind.INTEGER, minimum=1, maximum=127, doc="The client's SAP, such as 16 (public)."),
    Field(name="server", kind=Kind.INTEGER, minimum=0, maximum=16383, doc="The logical device's SAP."),
    Field(name="physical", kind=Kind.INTEGER, minimum=0, maximum=16383, doc="The physical HDLC address."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """Which association a call runs in; a session changes it by releasing and associating anew."""

    framing: str = WRAPPER
    security: str = NONE
    client: int = 16
    server: int = 1
    physical: int | None = None
    address_size: int | None = None
    frame_length: int = 512
    is_general: bool = False
    counter: str | None = None

    def wire(self) -> WrapperWire | HdlcWire:
        """Return the wire to the meter, not yet connected."""
        if self.framing == WRAPPER:
            return WrapperWire(client=self.client, server=self.server)
        return HdlcWire(
            client=address_octets(self.client),
            server=address_octets(self.server, self.physical, self.address_size),
            propose_information=self.frame_length,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What a model says of a captured value: whether it is kept, its label, and scaler and unit where fixed."""

    is_kept: bool = True
    is_end_labelled: bool = False
    fixed: ScalerUnit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A model as the driver reads it."""

    association: Association
    days_per_request: int
    nulls_repeat: bool
    period: timedelta | None
    classes: Mapping[bytes, int]
    columns: Mapping[str, Column]
    events: str
    event_titles: Mapping[int, str]
    sample: Mapping[str, Any] = field(default_factory=dict)

    def column(self, series: str) -> Column:
        """Return what the model says of a series."""
        return self.columns.get(series, _PLAIN)


_PLAIN = Column()


def settings_of(meter: Meter, arguments: Mapping[str, Any]) -> Settings:
    """Return the settings of a call: its arguments, else the model's values.

    Raises
    ------
    Misconfigured
        An unknown model, or an address that HDLC cannot write.
    """
    settings = read_settings(choose_model(MODELS, meter, arguments.get("model"), DEFAULT_MODEL))
    names = ("framing", "security", "client", "server", "physical")
    given = {name: arguments[name] for name in names if arguments.get(name) is not None}
    association = replace(settings.association, **given)
    if association.framing == HDLC and association.address_size == 2 and association.server > 127:
        raise Misconfigured("a server address above 127 needs an HDLC address of four octets")
    return replace(settings, association=association)


def read_settings(model: MeterModel) -> Settings:
    """Return what a model file says."""
    data = model.data
    profile = data.get("profile", {})
    events = data.get("events", {})
    period_s = profile.get("period_s")
    return Settings(
        association=_association(data.get("association", {})),
        days_per_request=profile.get("days_per_request", 1),
        nulls_repeat=profile.get("null_values", "repeat") == "repeat",
        period=None if period_s is None else timedelta(seconds=period_s),
        classes={obis_code(text): number for text, number in data.get("classes", {}).items()},
        columns={obis_text(obis_code(text)): _column(column) for text, column in data.get("columns", {}).items()},
        events=obis_text(obis_code(events.get("obis", "0-0:99.98.0"))),
        event_titles={int(code): title for code, title in events.get("titles", {}).items()},
        sample=data.get("sample", {}),
    )


def _association(data: Mapping[str, Any]) -> Association:
    known = {key: value for key, value in data.items() if key != "ciphering"}
    return Association(**known, is_general=data.get("ciphering") == "general")


def _column(data: Mapping[str, Any]) -> Column:
    fixed = ScalerUnit(data.get("scaler", 0), data["unit"]) if "unit" in data else None
    return Column(is_kept=data.get("kept", True), is_end_labelled=data.get("label") == "end", fixed=fixed)
