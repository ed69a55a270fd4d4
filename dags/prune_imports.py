"""Delete verdicts of old imports and files that were imported long ago, once a day.

`WATTLOOM_IMPORT_RETENTION_DAYS` says how long they are kept (90 days unless set).
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task


@dag(
    schedule=CronTriggerTimetable("50 1 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["wattloom", "registry"],
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1), "retry_exponential_backoff": 2},
    doc_md=__doc__,
)
def prune_imports() -> None:
    @task(do_xcom_push=False)
    def prune() -> dict[str, int]:
        from pipelines import steps

        return steps.prune_imports()

    prune()


prune_imports()
