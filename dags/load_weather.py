"""Ask the weather service for the temperatures of homes whose place is known, once a day.

Without `WATTLOOM_WEATHER_URL` nobody is asked. Only what is missing or not settled yet is asked for, by cells of 0.1
degrees.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task


@dag(
    schedule=CronTriggerTimetable("40 2 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["wattloom", "insight"],
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5), "retry_exponential_backoff": 2},
    doc_md=__doc__,
)
def load_weather() -> None:
    @task(do_xcom_push=False)
    def load() -> dict[str, int]:
        from pipelines import steps

        return steps.load_weather()

    load()


load_weather()
