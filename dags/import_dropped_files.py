"""Import customers and meters from the drop folder, every five minutes.

`WATTLOOM_IMPORT_FOLDER` holds `ORGANIZATION/TABLE/FILE`. Imports over the API that a killed process left half applied
are finished too. Importing a file twice changes nothing.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task


@dag(
    schedule=CronTriggerTimetable("*/5 * * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["wattloom", "registry"],
    default_args={"retries": 3, "retry_delay": timedelta(seconds=20), "retry_exponential_backoff": 2},
    doc_md=__doc__,
)
def import_dropped_files() -> None:
    @task(do_xcom_push=False)
    def import_files() -> dict[str, int]:
        from pipelines import steps

        return steps.import_dropped_files()

    import_files()


import_dropped_files()
