"""Generated metadata: nothing makes a 500, what is refused says where, what is accepted is read back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.fields import Field, Kind
from pipelines.household import fields
from tests.api.callers import Tenant, faults
from tests.api.test_fuzz import _ANYTHING, FEW

_FITTING: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.STRING: st.text(max_size=20),
    Kind.BOOLEAN: st.booleans(),
    Kind.INTEGER: st.integers(min_value=0, max_value=3),
    Kind.INTEGERS: st.lists(st.integers(min_value=0, max_value=9000), max_size=3),
    Kind.NUMBER: st.floats(min_value=-200, max_value=200) | st.integers(min_value=1, max_value=90),
}


def _value(field: Field) -> st.SearchStrategy[Any]:
    if field.kind is Kind.TEXTS:
        return st.lists(st.sampled_from(field.choices or ("x",)), max_size=4)
    fitting = st.sampled_from(field.choices) if field.choices else _FITTING[field.kind]
    return st.one_of(fitting, fitting, fitting, _ANYTHING)


def _object(wanted: tuple[Field, ...], **known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    values = {f.name: known[f.name] if f.name in known else _value(f) for f in wanted}
    return st.one_of(
        st.fixed_dictionaries(values),
        st.fixed_dictionaries(values),
        st.fixed_dictionaries({}, optional=values | {"more": _ANYTHING}),
    )


_APPLIANCE = st.sampled_from(sorted(fields.APPLIANCES)).flatmap(
    lambda key: _object((fields.KEY, fields.AMOUNT, *fields.APPLIANCES[key]), key=st.just(key))
)
_BODIES = {
    "property": _object(
        (*fields.PROPERTY, *fields.HOME_ONLY),
        property_type=st.sampled_from(["HOME", "HOME", "OFFICE", "INDUSTRY", "x"]),
        people=st.lists(_object(fields.PERSON_GROUP), max_size=3),
    ),
    "appliances": _object(fields.APPLIANCE_LIST, appliances=st.lists(_APPLIANCE | _ANYTHING, max_size=3)),
    "geolocation": _object(fields.GEOLOCATION),
}


@pytest.mark.parametrize("name", _BODIES)
def test_no_generated_metadata_breaks_a_sensor(tenant: Tenant, name: str) -> None:
    home = tenant.home()
    tenant.deliver(home.named())
    path = f"/sensors/{home.meter['sensor_id']}/metadata/{name}"
    answers = set()

    @FEW
    @given(body=st.one_of(_BODIES[name], _BODIES[name], _BODIES[name], _ANYTHING))
    def send(body: Any) -> None:
        answer = tenant.staff.put(path, content=json.dumps(body))
        answers.add(answer.status_code)
        assert answer.status_code in {204, 400}, (answer.status_code, answer.text, body)
        if answer.status_code == 400:
            named = {place.partition("[")[0] for place in faults(answer)}
            assert named
            assert named <= {f.name for f in (*fields.PROPERTY, *fields.HOME_ONLY)} | {
                "appliances",
                "latitude",
                "longitude",
                "non_field_errors",
                "detail",
            }
        else:
            shown = tenant.staff.found(path)
            assert tenant.staff.put(path, json=shown).status_code == 204
            assert tenant.staff.found(path) == shown

    send()
    assert answers == {204, 400}
