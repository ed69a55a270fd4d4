"""A household's documents as they are sent: each field checked, each fault named with its place in the document."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.errors import RejectedInput
from pipelines.fields import Field, check_all
from pipelines.household.fields import (
    AMOUNT,
    APPLIANCE_LIST,
    APPLIANCES,
    GEOLOCATION,
    HOME,
    HOME_ONLY,
    KEY,
    MOST_APPLIANCES,
    MOST_GROUPS,
    NO_GENERATOR,
    PERSON_GROUP,
    PROPERTY,
    PROPERTY_ALIASES,
    VERSION,
    WATTAGES,
)

Document = dict[str, Any]
Faults = dict[str, list[str]]


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A document fit to be stored, and what its sender should know although it was accepted."""

    document: Document
    warnings: tuple[str, ...] = ()


def check_property(payload: Any) -> Checked:
    """Check what is known of the building and its people.

    A type other than HOME has no fields of a home; where they are sent they are ignored, with a warning.

    Raises
    ------
    RejectedInput
        With every fault of every field.
    """
    faults: Faults = {}
    property_ = _check(PROPERTY, payload, faults)
    if "property_type" in property_:
        kind = property_["property_type"]
        property_["property_type"] = PROPERTY_ALIASES.get(kind, kind)
    is_home = property_.get("property_type") == HOME
    if is_home:
        property_ |= _check(HOME_ONLY, payload, faults)
        property_["people"] = _check_each(
            "people", property_.get("people", ()), lambda _: PERSON_GROUP, MOST_GROUPS, faults
        )
        _check_day_time(property_, faults)
    _refuse(faults)
    said = [*property_warnings(property_), *_ignored(payload, (*PROPERTY, *HOME_ONLY) if is_home else PROPERTY)]
    for index, group in enumerate(payload["people"] if is_home else ()):
        said += _ignored(group, PERSON_GROUP, f"people[{index}].")
    return Checked(document=property_, warnings=tuple(said))


def check_appliances(payload: Any) -> Checked:
    """Check the list of appliances, which replaces the one before.

    Raises
    ------
    RejectedInput
        With every fault of every appliance, by its place in the list.
    """
    faults: Faults = {}
    listed = _check(APPLIANCE_LIST, payload, faults)
    sent = listed.get("appliances", ())
    checked = _check_each("appliances", sent, _appliance_fields, MOST_APPLIANCES, faults)
    for index, appliance in enumerate(checked):
        wattages, amount = appliance.get(WATTAGES.name), appliance.get(AMOUNT.name)
        if wattages is not None and amount is not None and len(wattages) != amount:
            faults[f"appliances[{index}].{WATTAGES.name}"] = [
                f"Expected as many wattages as amount says ({amount}), but got {len(wattages)}."
            ]
    _refuse(faults)
    said = [*_ignored(payload, APPLIANCE_LIST)]
    for index, appliance in enumerate(sent):
        said += _ignored(appliance, _appliance_fields(appliance), f"appliances[{index}].")
    return Checked(document={"appliances": checked, "version": listed["version"]}, warnings=tuple(said))


def check_geolocation(payload: Any) -> Checked:
    """Check a place.

    Raises
    ------
    RejectedInput
        A coordinate is missing, no number, or out of range.
    """
    faults: Faults = {}
    place = _check(GEOLOCATION, payload, faults)
    _refuse(faults)
    return Checked(document=place, warnings=_ignored(payload, GEOLOCATION))


def property_warnings(property_: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what lowers the trust in results for a property that was accepted."""
    said = []
    people, amount = property_.get("people"), property_.get("people_amount")
    if people and amount is not None and sum(group["amount"] for group in people) != amount:
        said.append("people: the amounts do not add up to people_amount")
    if produces_energy(property_):
        said.append(
            "power_generator_source: homes that produce energy are not supported; their results are less certain"
        )
    return tuple(said)


def produces_energy(property_: Mapping[str, Any]) -> bool:
    """Tell whether a property has a generator or a battery."""
    source: str = property_.get("power_generator_source", NO_GENERATOR)
    return source != NO_GENERATOR


def no_appliances() -> Document:
    """Return what is answered where no list was ever set."""
    return {"appliances": [], "version": VERSION}


def _appliance_fields(appliance: Mapping[str, Any]) -> tuple[Field, ...]:
    key = appliance.get(KEY.name)
    return (KEY, AMOUNT, *(APPLIANCES.get(key, ()) if isinstance(key, str) else ()))


def _check(fields: tuple[Field, ...], payload: Any, faults: Faults, at: str = "") -> Document:
    """Return the fields without a fault; the others' faults are noted under their place."""
    values: Document = {}
    for field in fields:
        try:
            values |= check_all((field,), payload)
        except RejectedInput as error:
            faults |= {f"{at}{name}": said for name, said in error.errors.items()}
    return values


def _check_each(
    name: str,
    items: Sequence[Mapping[str, Any]],
    fields_of: Callable[[Mapping[str, Any]], tuple[Field, ...]],
    most: int,
    faults: Faults,
) -> list[Document]:
    if len(items) > most:
        faults[name] = [f"Ensure that there are no more than {most} items."]
        return []
    return [_check(fields_of(item), item, faults, f"{name}[{index}].") for index, item in enumerate(items)]


def _check_day_time(property_: Document, faults: Faults) -> None:
    by_day, people = property_.get("people_amount_in_day_time"), property_.get("people_amount")
    if by_day is not None and people is not None and by_day > people:
        faults["people_amount_in_day_time"] = [f"Ensure this value is at most people_amount ({people})."]


def _refuse(faults: Faults) -> None:
    if faults:
        raise RejectedInput(faults)


def _ignored(payload: Mapping[str, Any], known: Sequence[Field], at: str = "") -> tuple[str, ...]:
    """Say which fields of a document mean nothing here, in characters that any header can carry."""
    names = {field.name for field in known}
    unknown = [name for name in payload if name not in names]
    return tuple(f"{at}{_plain(name)}: ignored, no field of this document" for name in unknown)


def _plain(name: str) -> str:
    return name[:50].encode("unicode_escape").decode("ascii")
