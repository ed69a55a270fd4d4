"""Files as they come: each gets a clear verdict, good rows are kept, and nothing is an error of ours."""

import io
import json
import struct
import zipfile
from datetime import date

import pytest
import xlsxwriter

from tests.registry.conftest import Registry

HEADER = "external_id,name,birth_year"
GOOD = "C-1,Ann,1990"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_delimiter_is_found_by_the_header(registry: Registry, delimiter: str) -> None:
    made = registry.bring("customers", f"{HEADER}\n{GOOD}\n".replace(",", delimiter))

    assert (made["status"], made["inserted"]) == ("done", 1)
    assert registry.rows("customers")[0]["birth_year"] == 1990


@pytest.mark.parametrize(
    ("encoding", "profession"),
    [
        ("utf-8", "Bäcker"),
        ("utf-8-sig", "Bäcker 🥖"),
        ("latin-1", "Bäcker"),
        ("cp1252", "“Bäcker”"),
        ("utf-16", "Bäcker"),
    ],
)
def test_an_encoding_is_found_by_the_content(registry: Registry, encoding: str, profession: str) -> None:
    registry.bring("customers", f"external_id,profession\nC-1,{profession}\n".encode(encoding))

    assert registry.rows("customers")[0]["profession"] == profession


def test_quoted_line_ends_and_delimiters_belong_to_their_cell(registry: Registry) -> None:
    made = registry.bring("customers", 'external_id,profession\r\nC-1,"a,\r\nb ""c"""\r\nC-2,d\r\n')

    assert made["rows"] == 2
    assert [row["profession"] for row in registry.rows("customers")] == ['a,\r\nb "c"', "d"]


def test_a_header_in_other_letters_means_the_same_columns(registry: Registry) -> None:
    registry.bring("customers", "External ID,Birth-Year\nC-1,1990\n")

    assert registry.rows("customers")[0]["birth_year"] == 1990


@pytest.mark.parametrize(
    ("text", "code", "column"),
    [
        ("", "empty", None),
        (" \n\n ", "empty", None),
        ("external_id,name,name\nC-1,Ann,Bo\n", "duplicate_column", "name"),
        ("external_id,Birth Year,birth_year\nC-1,1,2\n", "duplicate_column", "birth_year"),
        ("name,birth_year\nAnn,1990\n", "missing_column", "external_id"),
        ("external_id^name\nC-1^Ann\n", "missing_column", "external_id"),
        ('external_id,name\nC-1,Ann\nC-2,"Bo\nC-3,Cy\n', "unclosed_quote", None),
        ("\x7fELF\0\0\0", "unreadable", None),
        ("\x1f\x8b\x08", "unreadable", None),
        ("PK\x03\x04 no zip at all", "unreadable", None),
        ("\xd0\xcf\x11\xe0 old", "unreadable", None),
        ('{"data": [', "unreadable", None),
        ("[" * 100_000, "unreadable", None),
        ('{"external_id": ' + "[" * 50_000 + "]" * 50_000 + "}", "unreadable", None),
        ('{"data": "nothing"}', "no_good_rows", None),
    ],
    ids=lambda value: str(value)[:30].encode("unicode_escape").decode(),
)
def test_a_file_that_cannot_be_understood_is_refused_as_a_whole(
    registry: Registry, text: str, code: str, column: str | None
) -> None:
    made = registry.bring("customers", text.encode("latin-1"))

    assert (made["status"], made["refusal"]["code"], made["refusal"]["column"]) == ("refused", code, column)
    assert made["refusal"]["detail"].endswith(".")
    assert registry.rows("customers") == []


def test_a_row_of_another_width_or_with_a_broken_quote_is_rejected_alone(registry: Registry) -> None:
    text = f'{HEADER}\n{GOOD}\nC-2,1,2,3\nC-3\n\nC-5,"a"b,1990\nC-6,F,1990,,\n'

    made = registry.bring("customers", text)

    assert registry.verdicts(made) == [
        (2, None, "wrong_field_count"),
        (3, None, "wrong_field_count"),
        (5, None, "malformed_row"),
    ]
    assert (made["rows"], made["inserted"]) == (5, 2)


def test_a_cell_of_ten_megabytes_is_too_long_and_takes_no_other_row_with_it(registry: Registry) -> None:
    made = registry.bring("customers", f"{HEADER}\nC-0,{'x' * 10_000_000},1990\n{GOOD}\n")

    assert registry.verdicts(made) == [(1, "name", "too_long")]
    assert made["inserted"] == 1


def test_text_of_any_script_and_text_that_looks_like_code_is_only_text(registry: Registry) -> None:
    texts = [
        "👩‍🌾 мельник",
        "مزارع\u200f",
        "'; DROP TABLE wattloom.registry_customer; --",
        "=cmd|'/c calc'!A1",
        "\\N",
        "\\.",
        "%s {} $1",
        "NULL",
    ]

    made = registry.bring(
        "customers", json.dumps([{"external_id": str(n), "profession": t} for n, t in enumerate(texts)])
    )

    assert made["inserted"] == len(texts)
    assert [row["profession"] for row in registry.rows("customers")] == texts


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("1e400", "invalid_integer"),
        ("NaN", "invalid_integer"),
        ("1" * 5000, "invalid_integer"),
        ("[1]", "not_a_single_value"),
        ('{"a": 1}', "not_a_single_value"),
        ('"\\ud800"', "invalid_text"),
    ],
)
def test_a_json_value_beyond_reason_is_a_verdict_of_its_row(registry: Registry, value: str, code: str) -> None:
    made = registry.bring(
        "customers", f'[{{"external_id": "a", "birth_year": {value}}}, {{"external_id": "b"}}, 7]'
    )

    assert registry.verdicts(made) == [(1, "birth_year", code), (3, None, "not_an_object")]
    assert made["inserted"] == 1


@pytest.mark.parametrize("wrap", ["{}", "[{}]", '{{"data": [{}]}}', '{{"data": {}}}'])
def test_json_comes_as_an_object_a_list_or_under_data(registry: Registry, wrap: str) -> None:
    assert registry.bring("customers", wrap.format('{"external_id": 6574}'))["inserted"] == 1
    assert registry.rows("customers")[0]["external_id"] == "6574"


def _workbook(fill: object) -> bytes:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    fill(book, book.add_worksheet())  # type: ignore[operator]
    book.close()
    return buffer.getvalue()


_METER = ("customer_external_id", "device_external_id", "serial_number", "manufacturer")


def test_an_xlsx_is_read_with_its_dates_numbers_and_the_values_of_its_formulas(registry: Registry) -> None:
    def fill(book: xlsxwriter.Workbook, sheet: xlsxwriter.worksheet.Worksheet) -> None:
        day = book.add_format({"num_format": "dd.mm.yyyy"})
        header = [*_METER, "installation_date", "purchase_date", "max_power_w", "is_test", "customer_birth_year"]
        sheet.write_row(1, 0, header)
        sheet.write_row(2, 0, [6574, "D", "S", "M"])
        sheet.write_datetime(2, 4, date(2021, 5, 3), day)
        sheet.write_string(2, 5, "2021-05-04")
        sheet.write_formula(2, 6, "=1000*2.5", None, 2500)
        sheet.write_boolean(2, 7, True)
        sheet.write_number(2, 8, 1990)
        sheet.write_row(4, 0, ["C", "D2", "", "M"])

    made = registry.bring("meters", _workbook(fill))

    (row,) = registry.rows("meters")
    assert row["customer_external_id"] == "6574"
    assert (row["installation_date"], row["purchase_date"]) == (date(2021, 5, 3), date(2021, 5, 4))
    assert (row["max_power_w"], row["is_test"], row["customer_birth_year"]) == (2500.0, True, 1990)
    assert registry.verdicts(made) == [(3, "serial_number", "required")]


def test_rows_of_a_merged_cell_are_rejected_by_name(registry: Registry) -> None:
    def fill(_book: xlsxwriter.Workbook, sheet: xlsxwriter.worksheet.Worksheet) -> None:
        sheet.write_row(0, 0, ["external_id", "profession"])
        sheet.write_row(1, 0, ["a", "b"])
        sheet.write_row(2, 0, ["c"])
        sheet.merge_range(2, 1, 3, 1, "both")
        sheet.write_row(3, 0, ["d"])

    made = registry.bring("customers", _workbook(fill))

    assert registry.verdicts(made) == [(2, None, "merged_cell"), (3, None, "merged_cell")]
    assert made["inserted"] == 1


def _zip(**entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), data)
    return buffer.getvalue()


def test_a_zip_bomb_is_refused_by_what_it_declares_and_by_what_it_is(registry: Registry) -> None:
    honest = _zip(xl__worksheets__sheet1_xml=b" " * (200 << 20))
    lying = bytearray(honest)
    size = struct.pack("<I", 200 << 20)
    while (at := bytes(lying).find(size)) >= 0:
        lying[at : at + 4] = struct.pack("<I", 1000)

    for bomb in (honest, bytes(lying)):
        assert len(bomb) < 1_000_000
        assert registry.bring("customers", bomb)["refusal"]["code"] == "too_large"


def test_a_cell_far_out_makes_no_sheet_of_billions(registry: Registry) -> None:
    def fill(_book: xlsxwriter.Workbook, sheet: xlsxwriter.worksheet.Worksheet) -> None:
        sheet.write(0, 0, "external_id")
        sheet.write(1_048_575, 16_383, "far")

    assert registry.bring("customers", _workbook(fill))["refusal"]["code"] == "too_large"


def test_a_zip_that_is_no_workbook_is_refused(registry: Registry) -> None:
    assert registry.bring("customers", _zip(hello_xml=b"<a/>"))["refusal"]["code"] == "unreadable"


def test_what_is_beyond_the_columns_is_kept_as_custom_and_merged(registry: Registry) -> None:
    registry.bring("customers", '{"external_id": "a", "tariff": "night", "tags": [1, {"x": 2.5}], "old": 1}')
    registry.bring("customers", '{"external_id": "a", "tariff": "day", "old": null, "uid": "mine"}')

    assert registry.rows("customers")[0]["custom"] == {"tariff": "day", "tags": [1, {"x": 2.5}]}


def test_max_rejected_refuses_the_whole_file_by_count_or_share(registry: Registry) -> None:
    text = "external_id,birth_year\na,1990\nb,x\nc,1990\nd,1990\n"

    for limit in ("0", "0.2", "20%"):
        made = registry.bring("customers", text, max_rejected=limit)
        assert (made["status"], made["refusal"]["code"]) == ("refused", "too_many_rejected")
        assert registry.verdicts(made) == [(2, "birth_year", "invalid_integer")]
    assert registry.rows("customers") == []
    for limit in ("1", "0.25", "25%"):
        assert registry.bring("customers", text, max_rejected=limit)["status"] == "done"
    assert len(registry.rows("customers")) == 3


def test_a_dry_run_checks_everything_and_stores_nothing(registry: Registry) -> None:
    made = registry.bring("customers", f"{HEADER}\n{GOOD}\nC-2,Bo,x\n", dry_run=True)

    assert (made["status"], made["accepted"], made["rejected"], made["inserted"]) == ("checked", 1, 1, 0)
    assert registry.rows("customers") == []


def test_rows_of_one_id_follow_each_other_as_they_stand_in_the_file(registry: Registry) -> None:
    rows = [
        {"external_id": "a", "profession": "baker", "country": "UG"},
        {"external_id": "a", "birth_year": 1990},
        {"external_id": "a", "profession": "miller", "country": None},
    ]

    made = registry.bring("customers", json.dumps(rows))

    (row,) = registry.rows("customers")
    assert (row["profession"], row["birth_year"], row["country"]) == ("miller", 1990, None)
    assert (made["rows"], made["rejected"]) == (3, 0)
