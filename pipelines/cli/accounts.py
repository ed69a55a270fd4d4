"""``wattloom init``: an organization with its credentials."""

import argparse
import json

from pipelines.cli.database import require_head
from pipelines.db.engine import engine_for, unit_of_work
from pipelines.settings import Settings


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``init``."""
    init = commands.add_parser("init", help="create an organization and print its credentials once")
    init.add_argument("--organization", required=True, metavar="NAME")
    init.add_argument("--json", action="store_true", help="print JSON")
    init.set_defaults(run=run_init)


def run_init(settings: Settings, chosen: argparse.Namespace) -> int:
    """Create the organization; what is printed is stored nowhere else."""
    from pipelines.accounts.organizations import create_organization

    require_head(settings)
    with unit_of_work(engine_for(settings)) as connection:
        made = create_organization(connection, chosen.organization)
    if chosen.json:
        print(json.dumps(made))
        return 0
    print(f"organization   {made['organization']['name']} (number {made['organization']['number']})")
    print(f"staff token    {made['staff']['token']}   (Authorization: Token ...; may do everything)")
    print(
        f"JWT user       {made['user']['username']} / {made['user']['password']}   (POST /v1/auth/jwt/token/; reads)"
    )
    print(f"API client     {made['client']['client_id']} / {made['client']['client_secret']}   (POST /auth/token)")
    print(f"source secret  {made['source']['secret']}   (imports)")
    print("These are shown once. Keep them safe.")
    return 0
