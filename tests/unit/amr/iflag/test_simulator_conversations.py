"""The driver against the simulated Corus, which shares no code with it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipelines import clock
from pipelines.amr.contract import ClockSeen, ClockSet, Found, Reading, Reported
from pipelines.amr.faults import AuthenticationFailed, MeterFault, Misconfigured, Unsupported
from pipelines.amr.protocols.iflag.calls import PARAMETERS
from pipelines.amr.protocols.iflag.layouts import firmwares
from pipelines.simulators.meters.archive import MeterArchive, steady_archive
from pipelines.simulators.meters.iflag import CorusMeter
from pipelines.simulators.meters.responder import Faults
from tests.unit.amr.iflag.support import STOCKHOLM, call, meter, quarter_hours, readings_of, session
from tests.unit.amr.transcripts import answer_from

START = datetime(2024, 2, 27, 6, tzinfo=UTC)
AT = datetime(2024, 3, 1, 5, 5, 10, tzinfo=UTC)
FIRMWARES = ("g0003", "m5a00", "m5b00")


@pytest.fixture(autouse=True)
def _frozen_start() -> Any:
    clock.start_at(AT)
    yield
    clock.start_at(None)


def talk(simulated: CorusMeter, *calls: Any, of: Any = None) -> list[Any]:
    talking = session(of, clock.now)
    steps = answer_from(talking.open(), simulated.receive)
    for each in calls:
        steps += answer_from(talking.perform(each), simulated.receive)
    return steps + answer_from(talking.close(), simulated.receive)


def simulated(archive: MeterArchive | None = None, faults: Faults | None = None, **options: Any) -> CorusMeter:
    return CorusMeter(archive or quarter_hours(), faults, zone=options.pop("zone", STOCKHOLM), **options)


def values(steps: list[Any], series: str) -> list[tuple[datetime, Decimal]]:
    return [(reading.timestamp, reading.value) for reading in readings_of(steps) if reading.series == series]


@pytest.mark.parametrize("firmware", FIRMWARES)
def test_every_parameter_of_a_firmware_is_read_in_one_question(firmware: str) -> None:
    known = firmwares()[f"corus_{firmware}"].parameters
    steps = talk(simulated(firmware=firmware), call("read_parameters", parameters=sorted(known)))
    found = {reading.series: reading for reading in readings_of(steps)}
    assert {reading.timestamp.replace(second=0) for reading in found.values()} == {AT.replace(second=0)}
    litres = quarter_hours().register_at(AT)
    assert found["7-0:13.2.0"].value == Decimal(litres) / 1000
    assert found["7-0:3.0.0"].value == Decimal(litres * 3 // 4) / 1000
    assert found["pressure_base"] == Reading(
        "pressure_base", found["pressure_base"].timestamp, Decimal("1.01325"), "bar"
    )
    assert found["7-0:41.0.0"].value == Decimal("8.25")
    assert found["7-0:43.2.0"].value == Decimal("0.48")
    assert found["input_pulse_weight"].value == Decimal("0.001")
    assert ("pressure_2" in found) == (firmware != "g0003")
    events = {event.title: event.content for step in steps if isinstance(step, Reported) for event in step.events}
    assert events["parameter_mapping_version"] == f"FL_{firmware.upper()}"
    assert events["firmware_version"] == "V3.10"
    assert len([step for step in steps if isinstance(step, ClockSeen)]) == 1


def test_the_parameters_of_all_firmwares_are_those_of_the_contract() -> None:
    assert {name for firmware in firmwares().values() for name in firmware.parameters} == set(PARAMETERS)


@pytest.mark.parametrize("block_bytes", [3, 91, 92, 200, 250])
def test_a_database_arrives_newest_first_however_its_records_are_cut_into_blocks(block_bytes: int) -> None:
    archive = quarter_hours()
    steps = talk(simulated(archive, block_bytes=block_bytes), call("read_database", database="interval"))
    index = values(steps, "7-0:13.2.0")
    rows = archive.rows(START, AT)[1:]
    assert index == [(at, Decimal(litres) / 1000) for at, litres in reversed(rows)]
    founds = [step for step in steps if isinstance(step, Found)]
    assert [found.covered for found in founds[:-1]] == [None] * (len(founds) - 1)
    assert founds[-1].covered == (rows[0][0], rows[-1][0])
    assert len(founds) > 20
    assert {value for _, value in values(steps, "consumption_converted_interval")} == {Decimal("0.12")}
    assert {value for _, value in values(steps, "consumption_unconverted_interval")} == {Decimal("0.09")}
    assert {value for _, value in values(steps, "flowrate_converted_interval_average")} == {Decimal("0.48")}
    assert {value for _, value in values(steps, "temperature_interval_average")} == {Decimal("8.25")}
    assert {value for _, value in values(steps, "pressure_interval_average")} == {Decimal("4.01")}


@pytest.mark.parametrize("firmware", FIRMWARES)
@pytest.mark.parametrize(("database", "count"), [("interval", 4), ("hourly", 1), ("daily", 1), ("monthly", 1)])
def test_each_database_of_each_firmware_has_its_own_records(firmware: str, database: str, count: int) -> None:
    archive = quarter_hours(4 * 24 * 40, datetime(2024, 1, 22, 6, tzinfo=UTC))
    end = datetime(2024, 3, 1, 6, tzinfo=STOCKHOLM)
    newest, oldest = end.isoformat(), (end - timedelta(minutes=50)).replace(tzinfo=None).isoformat()
    steps = talk(
        simulated(archive, firmware=firmware),
        call("read_database", database=database, start_date=newest, end_date=oldest),
    )
    used = values(steps, f"consumption_converted_{database}")
    assert [at for at, _ in used] == [end.astimezone(UTC) - timedelta(minutes=15 * back) for back in range(count)]
    intervals = {"interval": 1, "hourly": 4, "daily": 96, "monthly": 29 * 96}[database]
    assert used[0][1] == Decimal(120 * intervals) / 1000
    has_index = firmware != "g0003" or database == "monthly"
    assert bool(values(steps, "7-0:13.2.0")) == has_index
    covered = [step.covered for step in steps if isinstance(step, Found)][-1]
    assert covered == ((end - timedelta(minutes=50)).astimezone(UTC), end.astimezone(UTC))


def test_an_offset_is_relative_to_the_meters_own_clock_and_reaches_back_to_the_watermark() -> None:
    slow = Faults(clock_drift_s=-3600.0)
    asked = {"database": "interval", "offset_seconds": 1800}
    late = talk(simulated(faults=slow), call("read_database_by_offset_seconds", **asked))
    assert [at for at, _ in values(late, "7-0:13.2.0")] == [
        datetime(2024, 3, 1, 4, 0, tzinfo=UTC),
        datetime(2024, 3, 1, 3, 45, tzinfo=UTC),
    ]
    since = datetime(2024, 3, 1, 2, 0, tzinfo=UTC)
    caught_up = talk(simulated(faults=slow), call("read_database_by_offset_seconds", since, **asked))
    assert values(caught_up, "7-0:13.2.0")[-1][0] == since
    assert next(step for step in caught_up if isinstance(step, ClockSeen)).meter_at == AT - timedelta(hours=1)


def test_an_empty_database_yields_nothing_and_covers_nothing() -> None:
    steps = talk(simulated(quarter_hours(1)), call("read_database", database="monthly"))
    assert [step for step in steps if isinstance(step, Found)] == []


@pytest.mark.parametrize(("drift_s", "is_set"), [(-30.0, False), (30.0, False), (90.0, True), (-90_000.0, True)])
def test_the_clock_is_set_only_where_it_is_off_by_more_than_allowed(drift_s: float, is_set: bool) -> None:
    corus = simulated(faults=Faults(clock_drift_s=drift_s))
    steps = talk(corus, call("set_time", allowed_drift_seconds=60))
    assert [isinstance(step, ClockSet) for step in steps[1:]] == [True] * is_set
    seen = next(step for step in talk(corus) if isinstance(step, ClockSeen))
    assert (abs((seen.meter_at - clock.now()).total_seconds()) <= 2) == is_set


def test_both_hours_of_the_change_to_winter_time_keep_their_own_instants() -> None:
    start = datetime(2024, 10, 26, 22, tzinfo=UTC)
    archive = steady_archive(start=start, rows=10, interval_s=3600)
    clock.start_at(start + timedelta(hours=9, minutes=1))
    steps = talk(simulated(archive), call("read_database", database="hourly"))
    assert [at for at, _ in values(steps, "7-0:13.2.0")] == [
        start + timedelta(hours=hour) for hour in range(9, 0, -1)
    ]


@pytest.mark.parametrize("hour", [0, 1])
def test_a_bound_within_a_repeated_hour_leaves_no_record_out(hour: int) -> None:
    start = datetime(2024, 10, 26, 22, tzinfo=UTC)
    archive = steady_archive(start=start, rows=40, interval_s=900)
    bound = datetime(2024, 10, 27, hour, 45, tzinfo=UTC)  # 02:45, first as summer time, then as winter time
    clock.start_at(start + timedelta(hours=9))
    forward = talk(simulated(archive), call("read_database", database="interval", end_date=bound.isoformat()))
    assert {at for at, _ in values(forward, "7-0:13.2.0")} >= {at for at, _ in archive.rows(bound, clock.now())}
    backward = talk(simulated(archive), call("read_database", database="interval", start_date=bound.isoformat()))
    assert {at for at, _ in values(backward, "7-0:13.2.0")} >= {at for at, _ in archive.rows(start, bound)[1:]}


def test_the_right_password_opens_and_a_wrong_one_is_said_once_and_never_shown() -> None:
    assert talk(simulated(password="s3cret"), of=meter(password="s3cret"))
    answers: list[bytes] = []
    corus = simulated(password="s3cret")

    def receive(data: bytes) -> list[bytes]:
        answers.append(data)
        return corus.receive(data)

    wrong = session(meter(password="wr0ng"), clock.now)
    with pytest.raises(AuthenticationFailed) as failure:
        answer_from(wrong.open(), receive)
    assert sum(b"wr0ng" in data for data in answers) == 1
    assert "wr0ng" not in f"{failure.value!r} {wrong!r}"
    with pytest.raises(AuthenticationFailed):
        talk(simulated(password="s3cret"))


def test_the_meters_own_mapping_goes_before_its_device_type_and_a_named_model_before_both() -> None:
    g0003 = meter(manufacturer="Itron", model="Corus")
    assert values(talk(simulated(), call("read_database", database="hourly"), of=g0003), "7-0:13.2.0")
    with pytest.raises(MeterFault):
        talk(simulated(), call("read_parameters", parameters=["temperature"], model="corus_g0003"))
    with pytest.raises(Misconfigured, match=r"corus_g0003, corus_m5a00, corus_m5b00"):
        talk(simulated(), call("read_parameters", parameters=["temperature"], model="corus_9"))


def test_a_firmware_that_no_model_file_describes_is_named_and_can_still_be_read_by_a_named_model() -> None:
    strange = simulated()
    strange._firmware = "x9999"
    with pytest.raises(Misconfigured, match="'x9999'"):
        talk(strange, call("read_parameters", parameters=["temperature"]))
    steps = talk(strange, call("read_parameters", parameters=["temperature"], model="corus_m5b00"))
    assert [reading.value for reading in readings_of(steps)] == [Decimal("8.25")]
    assert len([step for step in steps if isinstance(step, ClockSeen)]) == 1


@pytest.mark.parametrize("firmware", FIRMWARES)
def test_unknown_parameters_are_refused_by_name(firmware: str) -> None:
    with pytest.raises(Unsupported, match="colour"):
        talk(simulated(firmware=firmware), call("read_parameters", parameters=["temperature", "colour"]))


def test_a_parameter_that_this_firmware_lacks_is_refused_by_name() -> None:
    with pytest.raises(Unsupported, match="kernel_version"):
        talk(simulated(firmware="g0003"), call("read_parameters", parameters=["kernel_version"]))


def test_dates_the_wrong_way_round_are_refused_before_anything_is_asked() -> None:
    asked = {"database": "hourly", "start_date": "2024-01-01T00:00:00", "end_date": "2024-01-02T00:00:00"}
    with pytest.raises(Misconfigured, match="backwards"):
        talk(simulated(), call("read_database", **asked))


@pytest.mark.parametrize("year", [1999, 2099])
def test_dates_beyond_the_meters_calendar_are_cut_to_it(year: int) -> None:
    bound = datetime(year, 1, 1, tzinfo=ZoneInfo("UTC")).isoformat()
    name = "end_date" if year < 2000 else "start_date"
    steps = talk(simulated(), call("read_database", database="daily", **{name: bound}))
    assert len(values(steps, "7-0:13.2.0")) == 2


def test_two_equal_reads_in_one_session_both_answer() -> None:
    once = call("read_database", database="daily")
    steps = talk(simulated(), once, once, call("set_time", allowed_drift_seconds=0), once)
    assert len(values(steps, "7-0:13.2.0")) == 6
