"""Split calendar months into appliances: on the third day, and each night for newcomers and corrected months.

A month's results are due on the third day of the next one; a newly integrated meter is calculated up to three
months back in the night after its data arrived. Started by hand with a month, or with from and to, it calculates
those months again, however old they are.
"""

from datetime import timedelta

from airflow.sdk import MultipleCronTriggerTimetable, Param, dag, task

DAY = {"type": ["null", "string"], "format": "date"}


@dag(
    schedule=MultipleCronTriggerTimetable("0 6 3 * *", "30 3 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    max_active_tasks=4,
    params={
        "month": Param(
            None,
            type=["null", "string"],
            pattern="^[0-9]{4}-(0[1-9]|1[0-2])$",
            title="Month",
            description="YYYY-MM, in each meter's own time zone; empty: everything that is due",
        ),
        "start": Param(None, title="From", description="or the months from this day on, YYYY-MM-DD", **DAY),
        "end": Param(None, title="To", description="and before this one", **DAY),
    },
    tags=["wattloom", "insight"],
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1), "retry_exponential_backoff": 2},
    doc_md=__doc__,
)
def disaggregate_monthly() -> None:
    @task
    def pending(params: dict[str, str | None]) -> list[list[int]]:
        from pipelines import steps

        return steps.pending_shards(
            "disaggregate-month", month=params["month"], start=params["start"], end=params["end"]
        )

    @task(do_xcom_push=False)
    def disaggregate(devices: list[int], params: dict[str, str | None]) -> dict[str, int]:
        from pipelines import steps

        return steps.disaggregate_month(
            month=params["month"], start=params["start"], end=params["end"], devices=devices
        )

    disaggregate.expand(devices=pending())


disaggregate_monthly()
