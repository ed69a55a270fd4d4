"""Turn changed readings into interval energy, then roll up what that touched: after collections, and every 15 minutes.

Meters are worked on in shards, and only those with changes. A shard that fails holds no other up: the rest is
rolled up, and the run fails at `publish`. Energy that changed is announced as the asset `energy`.
"""

from datetime import timedelta

from airflow.sdk import Asset, AssetOrTimeSchedule, CronTriggerTimetable, dag, task


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("*/15 * * * *", timezone="UTC"), assets=[Asset("readings")]
    ),
    catchup=False,
    max_active_runs=1,
    tags=["wattloom", "energy"],
    default_args={"retries": 3, "retry_delay": timedelta(seconds=20), "retry_exponential_backoff": 2},
    doc_md=__doc__,
)
def derive_and_refresh() -> None:
    @task
    def pending(step: str) -> list[list[int]]:
        from pipelines import steps

        return steps.pending_shards(step)

    @task(do_xcom_push=False)
    def derive(devices: list[int]) -> dict[str, int]:
        from pipelines import steps

        return steps.derive(devices=devices)

    @task(do_xcom_push=False)
    def refresh(devices: list[int]) -> dict[str, int]:
        from pipelines import steps

        return steps.refresh(devices=devices)

    @task(outlets=[Asset("energy")], trigger_rule="none_failed_min_one_success", do_xcom_push=False)
    def publish() -> None:
        """Announce changed energy; skipped where nothing changed."""

    derived = derive.expand(devices=pending.override(task_id="pending_derive")("derive"))
    touched = pending.override(task_id="pending_refresh", trigger_rule="all_done")("refresh")
    derived >> touched
    [derived, refresh.expand(devices=touched)] >> publish()


derive_and_refresh()
