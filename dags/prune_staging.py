"""Delete staged readings whose meter never appeared, once a day.

`WATTLOOM_STAGED_DATA_RETENTION_DAYS` says how long they are kept (30 days unless set).
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task


@dag(
    schedule=CronTriggerTimetable("40 1 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["wattloom", "metering"],
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1), "retry_exponential_backoff": 2},
    doc_md=__doc__,
)
def prune_staging() -> None:
    @task(do_xcom_push=False)
    def prune() -> dict[str, int]:
        from pipelines import steps

        return steps.prune_staging()

    prune()


prune_staging()
