"""Make the jobs of monthly AMR tasks, on the first of every month UTC.

One job per meter and task, due at the tick plus the task's offset; `collect_due` executes them. Dispatching a tick
twice changes nothing.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task


@dag(
    schedule=CronTriggerTimetable("0 0 1 * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["wattloom", "collection"],
    default_args={"retries": 3, "retry_delay": timedelta(seconds=20), "retry_exponential_backoff": 2},
    doc_md=__doc__,
)
def dispatch_monthly() -> None:
    @task(do_xcom_push=False)
    def dispatch() -> dict[str, object]:
        from pipelines import steps

        return steps.dispatch(schedule="monthly")

    dispatch()


dispatch_monthly()
