"""docs/household.md lists every field of the dictionary; run this file as a module to write it anew.

``python -m tests.unit.household.test_document_of_households`` replaces what stands between the two markers.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pipelines.fields import Field, Kind
from pipelines.household import fields
from pipelines.household.documents import check_appliances, check_geolocation, check_property

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "household.md"
BEGIN, END = "<!-- fields -->\n", "<!-- /fields -->\n"
KINDS = {
    Kind.STRING: "text",
    Kind.TEXTS: "list of",
    Kind.INTEGER: "whole number",
    Kind.INTEGERS: "list of whole numbers,",
    Kind.NUMBER: "number",
    Kind.BOOLEAN: "`true` or `false`",
    Kind.OBJECTS: "list of objects",
}


def accepted(field: Field) -> str:
    """Return what a field may hold."""
    words = "" if field.kind is Kind.STRING and (field.choices or field.max_length) else KINDS[field.kind]
    if field.choices is not None:
        return f"{words} {', '.join(f'`{choice}`' for choice in field.choices)}".strip()
    if field.minimum is not None:
        return f"{words} from {field.minimum} to {field.maximum}"
    return f"text of at most {field.max_length} characters" if field.max_length else words


def table(named: str, wanted: Sequence[Field]) -> Iterator[str]:
    """Yield a table of fields."""
    yield from (f"{named}:", "", "| field | holds | meaning |", "|---|---|---|")
    yield from (f"| `{field.name}` | {accepted(field)} | {field.doc} |" for field in wanted)
    yield ""


def fields_document() -> str:
    """Return every field of the dictionary as Markdown."""
    plain = [key for key, further in fields.APPLIANCES.items() if not further]
    lines = [
        "### Property",
        "",
        *table("Every property", fields.PROPERTY),
        *table("And a `HOME`", fields.HOME_ONLY),
        *table("Each item of `people`", fields.PERSON_GROUP),
        "### Appliances",
        "",
        *table("The document", fields.APPLIANCE_LIST),
        *table("Each appliance", (Field(name="key", choices=("...",), doc=fields.KEY.doc), fields.AMOUNT)),
        "| key | further fields |",
        "|---|---|",
        *(
            f"| `{key}` | {'; '.join(f'`{f.name}`: {accepted(f)} ({f.doc})' for f in further)} |"
            for key, further in fields.APPLIANCES.items()
            if further
        ),
        f"| {', '.join(f'`{key}`' for key in plain)} | none |",
        "",
        "### Geolocation",
        "",
        *table("A place", fields.GEOLOCATION),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _parts() -> tuple[str, str, str]:
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    between, _, after = rest.partition(END)
    return before, between, after


def test_the_document_of_households_is_what_the_dictionary_says() -> None:
    assert _parts()[1] == fields_document()


@pytest.mark.parametrize(
    ("name", "check"),
    [("property", check_property), ("appliances", check_appliances), ("geolocation", check_geolocation)],
)
def test_the_examples_of_the_document_are_accepted_without_a_warning(name, check) -> None:
    bodies = re.findall(rf"metadata/{name} -X PUT -d '(.*?)'", _parts()[0], flags=re.DOTALL)

    assert bodies
    for body in bodies:
        checked = check(json.loads(body))
        assert checked.warnings == ()


if __name__ == "__main__":
    head, _, tail = _parts()
    DOCUMENT.write_text(head + BEGIN + fields_document() + END + tail, encoding="utf-8")
