"""Move staged readings of meters that are known by now to the readings, every quarter of an hour.

A meter's staged readings move when the meter is created; this catches what arrived at that very moment.
Moving nothing is a success, and moving twice changes nothing.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task


@dag(
    schedule=CronTriggerTimetable("*/15 * * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["wattloom", "metering"],
    default_args={"retries": 3, "retry_delay": timedelta(seconds=20), "retry_exponential_backoff": 2},
    doc_md=__doc__,
)
def promote_staged() -> None:
    @task(do_xcom_push=False)
    def promote() -> dict[str, int]:
        from pipelines import steps

        return steps.promote()

    promote()


promote_staged()
