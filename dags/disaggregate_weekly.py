"""Split the past week, Monday to Sunday in each meter's own time zone, into appliances: every Monday.

At 13:00 UTC the week is over in every time zone. Started by hand with a Monday, it calculates that week
again.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, Param, dag, task


@dag(
    schedule=CronTriggerTimetable("0 13 * * MON", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    max_active_tasks=4,
    params={
        "week": Param(
            None,
            type=["null", "string"],
            format="date",
            title="Week",
            description="Its Monday, YYYY-MM-DD; empty: the past week",
        )
    },
    tags=["wattloom", "insight"],
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1), "retry_exponential_backoff": 2},
    doc_md=__doc__,
)
def disaggregate_weekly() -> None:
    @task
    def pending(params: dict[str, str | None]) -> list[list[int]]:
        from pipelines import steps

        return steps.pending_shards("disaggregate-week", week=params["week"])

    @task(do_xcom_push=False)
    def disaggregate(devices: list[int], params: dict[str, str | None]) -> dict[str, int]:
        from pipelines import steps

        return steps.disaggregate_week(week=params["week"], devices=devices)

    disaggregate.expand(devices=pending())


disaggregate_weekly()
