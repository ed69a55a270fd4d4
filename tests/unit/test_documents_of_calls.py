"""docs/collecting.md lists every task call as the drivers declare it; run this file as a module to write it anew.

``python -m tests.unit.test_documents_of_calls`` replaces what stands between the two markers.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.amr.contract import CallSpec, Driver
from pipelines.amr.drivers import ALIASES, PACKAGES, driver
from pipelines.amr.faults import Reason
from pipelines.amr.models import load_models
from pipelines.fields import Field, Kind
from pipelines.simulators.meters.kinds import PROTOCOLS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "collecting.md"
BEGIN, END = "<!-- calls -->\n", "<!-- /calls -->\n"
KINDS = {
    Kind.STRING: "text",
    Kind.TEXTS: "list of texts",
    Kind.INTEGER: "integer",
    Kind.BOOLEAN: "true or false",
    Kind.LOCAL_DATETIME: "date-time",
}


def accepted(field: Field) -> str:
    """Return what an argument may hold."""
    if field.choices is not None:
        return ", ".join(f"`{choice}`" for choice in field.choices)
    words = [KINDS[field.kind]]
    if field.minimum is not None:
        words.append(f"from {field.minimum}" if field.maximum is None else f"{field.minimum} to {field.maximum}")
    if field.max_length is not None:
        words.append(f"at most {field.max_length} characters")
    if field.pattern is not None:
        words.append(f"`{field.pattern}`")
    return ", ".join(words)


def shown(field: Field) -> str:
    """Return an argument's name; required ones stand out."""
    return f"**`{field.name}`**" if field.required else f"`{field.name}`"


def row(*cells: str) -> str:
    """Return a line of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def section(made: Driver) -> Iterator[str]:
    """Yield the section of a driver: its calls, then every argument once, then its models."""
    aliases = [f"`{alias}`" for alias, name in ALIASES.items() if name == made.execution_type]
    known_as = f" (also {', '.join(aliases)})" if aliases else ""
    yield f"### `{made.execution_type}`{known_as}, protocol `{made.protocol}`"
    yield from ("", "| call | arguments | does |", "|---|---|---|")
    arguments: dict[tuple[str, str, str], None] = {}
    for name, spec in made.calls.items():
        watermark = " Moves a watermark." if spec.archive is not None else ""
        yield row(f"`{name}`", ", ".join(map(shown, spec.fields)), spec.doc + watermark)
        arguments |= {(field.name, accepted(field), field.doc): None for field in spec.fields}
    yield from ("", "| argument | holds | meaning |", "|---|---|---|")
    for name, holds, doc in arguments:
        yield row(f"`{name}`", holds, doc)
    models = load_models(f"pipelines.amr.protocols.{PACKAGES[made.execution_type]}")
    named = (f"`{key}` ({model.title})" for key, model in models.items())
    yield from ("", f"Models: {', '.join(named)}.", "")


def calls_document() -> str:
    """Return every call of every driver as Markdown."""
    return "\n".join(line for name in PACKAGES for line in section(driver(name))).rstrip("\n") + "\n"


def _parts() -> tuple[str, str, str]:
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    between, _, after = rest.partition(END)
    return before, between, after


def test_the_document_of_calls_is_what_the_drivers_declare() -> None:
    assert _parts()[1] == calls_document()


@pytest.mark.parametrize("execution_type", sorted(PACKAGES))
def test_every_call_says_in_a_sentence_what_it_does(execution_type: str) -> None:
    for name, spec in driver(execution_type).calls.items():
        assert spec.doc.endswith("."), f"{execution_type} {name}"
        assert f"\n| `{name}` | " in _parts()[1]


@pytest.mark.parametrize("reason", sorted(Reason))
def test_every_reason_of_a_job_has_its_row(reason: Reason) -> None:
    before, _, after = _parts()

    assert f"\n| `{reason.value}` |" in before + after


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_limits_of_every_protocol_are_named(protocol: str) -> None:
    assert f"\n- **`{protocol}`**: " in _parts()[0]


def test_a_required_argument_stands_out_and_a_pattern_does_not_break_the_table() -> None:
    spec = CallSpec(
        doc="Read.",
        fields=(Field(name="one", required=True, pattern="a|b"), Field(name="two", kind=Kind.INTEGER, minimum=0)),
        archive=lambda _arguments: "archive",
    )
    made = replace(driver("generic_modbus"), calls={"read": spec})

    lines = list(section(made))

    assert "| `read` | **`one`**, `two` | Read. Moves a watermark. |" in lines
    assert "| `one` | text, `a\\|b` |  |" in lines
    assert "| `two` | integer, from 0 |  |" in lines


if __name__ == "__main__":
    head, _, tail = _parts()
    DOCUMENT.write_text(head + BEGIN + calls_document() + END + tail, encoding="utf-8")
