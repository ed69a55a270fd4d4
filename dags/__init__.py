"""One DAG per file, each task one call into `pipelines.steps`."""
