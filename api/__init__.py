"""The HTTP edge: parse, authorise, call a pipeline, shape the answer."""
