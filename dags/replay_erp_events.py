"""Process again the events of ERP systems that were left stored or failed on our side, every five minutes.

An event is stored before it is processed, so one whose process died is still there. What was applied is left alone.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task


@dag(
    schedule=CronTriggerTimetable("*/5 * * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["wattloom", "erp"],
    default_args={"retries": 3, "retry_delay": timedelta(seconds=20), "retry_exponential_backoff": 2},
    doc_md=__doc__,
)
def replay_erp_events() -> None:
    @task(do_xcom_push=False)
    def replay() -> dict[str, int]:
        from pipelines import steps

        return steps.replay_erp_events()

    replay()


replay_erp_events()
