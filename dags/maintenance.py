"""Compress old chunks, delete what is past its retention, and report failed database jobs, once a day.

The database's own policies are a safety net only: this does not depend on its scheduler.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task


@dag(
    schedule=CronTriggerTimetable("20 2 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["wattloom", "operations"],
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2), "retry_exponential_backoff": 2},
    doc_md=__doc__,
)
def maintenance() -> None:
    @task(do_xcom_push=False)
    def maintain() -> dict[str, int]:
        from pipelines import steps

        return steps.maintain()

    maintain()


maintenance()
