"""Run with Airflow importable: write what its DagBag reads from the DAGs' folder to the file given."""

import json
import sys
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag

bag = DagBag(Path(__file__).parents[2] / "dags")
described = {
    dag.dag_id: {
        "file": Path(dag.fileloc).name,
        "doc": dag.doc_md,
        "tags": sorted(dag.tags),
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "timetable": type(dag.timetable).__name__,
        "cron": [getattr(dag.timetable, "expression", None), str(getattr(dag.timetable, "timezone", None))],
        "params": sorted(dag.params),
        "tasks": {
            task.task_id: {
                "retries": task.retries,
                "backoff": task.retry_exponential_backoff,
                "outlets": [outlet.name for outlet in task.outlets],
            }
            for task in dag.tasks
        },
    }
    for dag in bag.dags.values()
}
answer = {
    "errors": bag.import_errors,
    "dags": described,
    "heavy": sorted({"numba", "polars"} & set(sys.modules)),
}
Path(sys.argv[1]).write_text(json.dumps(answer))
