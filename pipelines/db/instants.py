"""SQL for instants as microseconds since the epoch, which is how arrays hold them; exact both ways."""


def instant(expression: str) -> str:
    """Return SQL for the instant of a number of microseconds since the epoch."""
    return f"timestamptz 'epoch' + {expression} * interval '1 microsecond'"


def us(expression: str) -> str:
    """Return SQL for the microseconds since the epoch of an instant."""
    return f"(extract(epoch FROM {expression}) * 1000000)::bigint"
