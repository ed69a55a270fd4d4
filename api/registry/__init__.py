"""``/api/v1``: imports into the registry and what it holds."""
