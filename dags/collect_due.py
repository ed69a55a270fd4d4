"""Collect from every meter that has a due job, every minute.

Meters are worked on in shards; those behind one interface are in the same shard and read one after the other under its
lease. A job that fails holds no other up: its reason stands with the job, not here. Several runs may be at work at
once, since a job belongs to whoever claimed it, so slow meters delay nobody. What was read is announced as `readings`.
"""

from datetime import timedelta

from airflow.sdk import Asset, CronTriggerTimetable, dag, task


@dag(
    schedule=CronTriggerTimetable("* * * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=4,
    tags=["wattloom", "collection"],
    default_args={"retries": 2, "retry_delay": timedelta(seconds=20), "retry_exponential_backoff": 2},
    doc_md=__doc__,
)
def collect_due() -> None:
    @task
    def pending() -> list[list[int]]:
        from pipelines import steps

        return steps.pending_shards("collect", size=400)

    @task(do_xcom_push=False)
    def collect(devices: list[int]) -> dict[str, object]:
        from pipelines import steps

        return steps.collect(devices=devices)

    @task(outlets=[Asset("readings")], trigger_rule="none_failed_min_one_success", do_xcom_push=False)
    def publish() -> None:
        """Announce new readings; skipped where nothing was due."""

    collect.expand(devices=pending()) >> publish()


collect_due()
