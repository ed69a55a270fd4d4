"""The one error analytics raises: its caller handed it something no data source can produce."""


class BrokenContractError(ValueError):
    """A caller of analytics broke a documented precondition: our bug, never the data's.

    Data from outside is never a reason to raise here. It gets a quality code instead
    (see `analytics.quality`).
    """
