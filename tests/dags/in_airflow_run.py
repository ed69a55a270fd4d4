"""Run with Airflow importable: `dag.test()` each DAG given, write the states of runs and tasks to a file.

The file is the first argument.
Each other is a DAG's id, with `?` and a JSON conf behind it where it takes one.
"""

import json
import sys
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag

bag = DagBag(Path(__file__).parents[2] / "dags")
runs = []
for argument in sys.argv[2:]:
    dag_id, _, conf = argument.partition("?")
    run = bag.dags[dag_id].test(run_conf=json.loads(conf or "{}"))
    tasks: dict[str, list[str]] = {}
    for instance in sorted(run.get_task_instances(), key=lambda ti: (ti.task_id, ti.map_index)):
        tasks.setdefault(instance.task_id, []).append(str(instance.state))
    runs.append({"state": str(run.state), "tasks": tasks})
Path(sys.argv[1]).write_text(json.dumps(runs))
