"""Run with Airflow importable: `dag.test()` each DAG given, write the states of runs and tasks to a file.

The file is the first argument; each other is a DAG's id, where wanted with `?` and a JSON conf behind it.
"""

import json
import sys
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag

bag = DagBag(Path(__file__).parents[2] / "dags")
runs = []
for argument in sys.argv[2:]:
    dag_id, _, conf = argument.partition("?")
    for task in bag.dags[dag_id].tasks:
        task.retries = 0  # a failure shows at once
    run = bag.dags[dag_id].test(run_conf=json.loads(conf or "{}"))
    tasks: dict[str, list[str]] = {}
    for instance in sorted(run.get_task_instances(), key=lambda ti: (ti.task_id, ti.map_index)):
        tasks.setdefault(instance.task_id, []).append(str(instance.state))
    runs.append({"state": str(run.state), "tasks": tasks})
Path(sys.argv[1]).write_text(json.dumps(runs))
