"""What every DAG file keeps to, read from its text and from what Airflow makes of it."""

import ast
import inspect
import sys
from collections.abc import Iterator

import pytest

from pipelines import steps
from pipelines.amr.schedules import SCHEDULES
from tests.dags.conftest import DAGS

pytestmark = pytest.mark.xdist_group("airflow")

FILES = sorted(path for path in DAGS.glob("*.py") if path.name != "__init__.py")
DISPATCH = {  # contract 2.4, in UTC
    "dispatch_quarterly": "*/15 * * * *",
    "dispatch_hourly": "0 * * * *",
    "dispatch_daily": "0 0 * * *",
    "dispatch_weekly": "0 0 * * 1",
    "dispatch_monthly": "0 0 1 * *",
    "dispatch_yearly": "0 0 1 1 *",
}
# Several runs may be at work at once where a job belongs to whoever claimed it.
SIDE_BY_SIDE = {"collect_due": 4}
EXPECTED = {
    *DISPATCH,
    "collect_due",
    "derive_and_refresh",
    "disaggregate_monthly",
    "disaggregate_weekly",
    "import_dropped_files",
    "load_weather",
    "maintenance",
    "promote_staged",
    "prune_imports",
    "prune_staging",
    "quality_checks",
    "replay_erp_events",
}


@pytest.fixture(scope="session")
def described(airflow):
    return airflow("in_airflow_describe.py")


def test_airflow_reads_every_file_without_an_error_and_without_loading_numba_or_polars(described):
    assert described["errors"] == {}
    assert described["heavy"] == []


def test_the_dags_are_those_of_the_files_and_each_file_holds_the_dag_of_its_name(described):
    assert {path.stem for path in FILES} == set(described["dags"]) == EXPECTED
    assert {dag_id: dag["file"] for dag_id, dag in described["dags"].items()} == {
        path.stem: path.name for path in FILES
    }


def test_every_dag_explains_itself_runs_once_at_a_time_and_does_not_catch_up(described):
    for dag_id, dag in described["dags"].items():
        assert dag["doc"] == ast.get_docstring(ast.parse((DAGS / dag["file"]).read_text()), clean=False), dag_id
        assert "wattloom" in dag["tags"]
        assert dag["max_active_runs"] == SIDE_BY_SIDE.get(dag_id, 1)
        assert dag["catchup"] is False
        assert dag["timetable"] != "NullTimetable"


def test_every_task_is_tried_again_with_growing_pauses(described):
    for dag in described["dags"].values():
        for task in dag["tasks"].values():
            assert task["retries"] >= 1
            assert task["backoff"] > 1


def test_disaggregation_takes_any_month_or_week_by_hand(described):
    assert described["dags"]["disaggregate_monthly"]["params"] == ["end", "month", "start"]
    assert described["dags"]["disaggregate_weekly"]["params"] == ["week"]


def test_jobs_are_dispatched_when_their_schedule_says_and_collected_every_minute(described):
    crons = {dag_id: dag["cron"] for dag_id, dag in described["dags"].items()}

    assert {dag_id: crons[dag_id] for dag_id in DISPATCH} == {
        dag_id: [expression, "UTC"] for dag_id, expression in DISPATCH.items()
    }
    assert {f"dispatch_{schedule}" for schedule in SCHEDULES} == set(DISPATCH)
    assert crons["collect_due"] == ["* * * * *", "UTC"]


def test_what_was_collected_sets_the_derivation_off(described):
    assert described["dags"]["collect_due"]["tasks"]["publish"]["outlets"] == ["readings"]
    assert "asset" in described["dags"]["derive_and_refresh"]["timetable"].lower()


def test_changed_energy_sets_the_quality_checks_off(described):
    assert described["dags"]["derive_and_refresh"]["tasks"]["publish"]["outlets"] == ["energy"]
    assert "asset" in described["dags"]["quality_checks"]["timetable"].lower()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dag_file_is_short_and_imports_only_airflow_and_the_standard_library(path):
    tree = ast.parse(path.read_text())

    imported = {name for node in tree.body for name in _imported(node)}

    assert len(path.read_text().splitlines()) < 60
    assert imported - set(sys.stdlib_module_names) == {"airflow"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_task_calls_a_pipeline_step_that_takes_these_arguments(path):
    calls = list(_step_calls(ast.parse(path.read_text())))

    assert calls
    for call in calls:
        step = getattr(steps, call.func.attr)
        inspect.signature(step).bind(*call.args, **{keyword.arg: None for keyword in call.keywords})


def _imported(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {(node.module or "").partition(".")[0]}
    return set()


def _step_calls(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "steps"
        ):
            yield node
