"""One home's file: columns found, values exact, times with their offsets."""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from pipelines.errors import RejectedInput
from pipelines.files.home_csv import read_home


def home(tmp_path: Path, text: str):
    file = tmp_path / "home.csv"
    file.write_bytes(text.encode())
    return read_home(file)


def test_values_of_different_decimals_are_kept_exactly(tmp_path: Path):
    texts = ["0.1", "12345678.25", "3", "1e2", "7.123456", "-0.5"]
    rows = "".join(f"2024-01-01T{n:02}:00Z,{text}\n" for n, text in enumerate(texts))
    file = home(tmp_path, "timestamp,energy_wh\n" + rows)
    assert [Decimal(value).scaleb(-file.exponent) for value in file.values.tolist()] == [Decimal(t) for t in texts]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffTimestamp;Energy_Wh;note\r\n2024-01-01T00:00+01:00;5;x\r\n2024-01-01T01:00+01:00;6;y\r\n",
        'name,"timestamp","energy_wh"\na,"2023-12-31 23:00:00Z","5"\nb,2023-12-31T19:00-0500,6\n',
        "timestamp\tenergy_wh\n2024-01-01T00:00:00.000+01\t5\n\n2024-01-01T01:00:00+01:00\t6",
    ],
)
def test_files_of_other_tools_are_understood(tmp_path: Path, text: str):
    file = home(tmp_path, text)
    assert file.rejected == ()
    assert (file.values.tolist(), file.exponent, file.measure) == ([5, 6], 0, "energy")
    assert [int(at) for at in file.time_us] == [1_704_063_600_000_000, 1_704_067_200_000_000]


def test_mean_power_is_energy_by_the_spacing_of_its_own_stretch(tmp_path: Path):
    quarter = [f"2024-01-{1 + n // 96:02}T{n // 4 % 24:02}:{15 * (n % 4):02}Z,1000" for n in range(10 * 96)]
    hours = [f"2024-02-{1 + n // 24:02}T{n % 24:02}:00Z,1000" for n in range(25 * 24)]
    file = home(tmp_path, "\n".join(["timestamp,power_w", *quarter, *hours]))
    runs = file.channels()
    assert [run.interval_s for run in runs] == [900, 3600]
    assert [run.uwh_per_unit for run in runs] == [Fraction(250_000), Fraction(1_000_000)]


def test_a_file_without_two_good_rows_says_what_is_wrong_with_the_first(tmp_path: Path):
    with pytest.raises(RejectedInput, match=r"1 good rows of 2, .* row 2, energy_wh: Not a number"):
        home(
            tmp_path,
            "timestamp,energy_wh\n2024-01-01T00:00Z,1\n2024-01-01T01:00Z,1,5 Wh\n".replace("1,5 ", "1.5 "),
        )
