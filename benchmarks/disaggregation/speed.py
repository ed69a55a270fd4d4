"""How many home-months a second one core does."""


def section() -> str:
    return "Not measured yet.\n"
