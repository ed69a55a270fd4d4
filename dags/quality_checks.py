"""Run every query of `sql/checks` whenever energy changed, and once a day; offending rows fail the run.

A check that finds rows will find them again: it is not retried. A server that does not answer is.
"""

from datetime import timedelta

from airflow.sdk import Asset, AssetOrTimeSchedule, CronTriggerTimetable, dag, task


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("10 5 * * *", timezone="UTC"), assets=[Asset("energy")]
    ),
    catchup=False,
    max_active_runs=1,
    tags=["wattloom", "operations"],
    default_args={"retries": 3, "retry_delay": timedelta(seconds=30), "retry_exponential_backoff": 2},
    doc_md=__doc__,
)
def quality_checks() -> None:
    @task(do_xcom_push=False)
    def check() -> dict[str, int]:
        from airflow.sdk.exceptions import AirflowFailException

        from pipelines import errors, steps

        try:
            return steps.check()
        except errors.BrokenContract as offence:
            raise AirflowFailException(str(offence)) from offence

    check()


quality_checks()
