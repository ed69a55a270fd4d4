"""``wattloom import``, ``source`` and ``registry``: customers and meters, and the keys of pseudonyms."""

import argparse
import json
import sys
from pathlib import Path

from pipelines.cli.database import require_head
from pipelines.cli.working import progress_bar
from pipelines.db.engine import engine_for, unit_of_work
from pipelines.settings import Settings

_SHOWN = 20


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``import``, ``source`` and ``registry``."""
    load = commands.add_parser("import", help="customers or meters from csv, xlsx or json; safe to repeat")
    load.add_argument("file", type=Path, metavar="FILE")
    load.add_argument("--table", required=True, choices=("customers", "meters"))
    load.add_argument("--organization", required=True, metavar="NAME")
    load.add_argument("--dry-run", action="store_true", help="check every row, store none")
    load.add_argument(
        "--max-rejected", metavar="N|SHARE", help="refuse the whole file above this: 10, 0.05 or 5%%"
    )
    load.add_argument("--source", type=int, metavar="ID", help="named as the writer; default: the first source")
    load.add_argument("--rejected", type=Path, metavar="CSV", help="write every rejected row and its reason here")
    load.set_defaults(run=run_import)
    source = commands.add_parser("source", help="sources, whose secrets import over the API")
    actions = source.add_subparsers(dest="action", required=True, metavar="ACTION")
    create = actions.add_parser("create", help="create a source and print its secret once")
    create.add_argument("--organization", required=True, metavar="NAME")
    create.add_argument("--name", default="source", help="what the source is called (default: source)")
    create.add_argument("--json", action="store_true", help="print JSON")
    create.set_defaults(run=run_source)
    registry = commands.add_parser("registry", help="the keys behind pseudonyms")
    keys = registry.add_subparsers(dest="action", required=True, metavar="ACTION")
    rotate = keys.add_parser("rotate-key", help="hash from now on under a new key; equal values hash anew")
    destroy = keys.add_parser("destroy-key", help="destroy a key: its pseudonyms can never be made again")
    which = destroy.add_mutually_exclusive_group(required=True)
    which.add_argument("--version", type=int, metavar="N")
    which.add_argument("--all", action="store_true")
    for action, run in ((rotate, run_rotate), (destroy, run_destroy)):
        action.add_argument("--organization", required=True, metavar="NAME")
        action.set_defaults(run=run)


def run_import(settings: Settings, chosen: argparse.Namespace) -> int:
    """Import a file; exit code 1 where rows were rejected, or all of it was refused."""
    from pipelines.accounts.organizations import organization_by_name
    from pipelines.registry import imports
    from pipelines.registry.catalogue import TABLES
    from pipelines.registry.contents import Content
    from pipelines.registry.importing import Options, import_content

    require_head(settings)
    limit = imports.Limit.parse(chosen.max_rejected) if chosen.max_rejected is not None else None
    engine = engine_for(settings)
    with unit_of_work(engine) as connection:
        organization = organization_by_name(connection, chosen.organization)
    with progress_bar("import") as advance:
        row = import_content(
            engine,
            settings,
            organization,
            TABLES[chosen.table],
            Content(path=chosen.file),
            Options(dry_run=chosen.dry_run, limit=limit, resume=True),
            source=chosen.source,
            progress=advance,
        )
    shown = imports.shown(row)
    print(
        f"import {shown['id']}: {shown['status']}; {shown['rows']} rows: {shown['accepted']} accepted"
        f" ({shown['inserted']} new, {shown['updated']} updated, {shown['unchanged'] or 0} unchanged),"
        f" {shown['rejected']} rejected"
    )
    if shown["refusal"]:
        print(f"refused: {shown['refusal']['code']}: {shown['refusal']['detail']}", file=sys.stderr)
    with unit_of_work(engine) as connection:
        for verdict in imports.verdicts(connection, row, limit=_SHOWN):
            column = f", {verdict['column']}" if verdict["column"] else ""
            print(f"row {verdict['row']}{column}: {verdict['code']}: {verdict['detail']}", file=sys.stderr)
        more = imports.count_verdicts(connection, row) - _SHOWN
        if more > 0:
            print(f"... and {more} more (see --rejected)", file=sys.stderr)
        if chosen.rejected is not None:
            imports.write_verdicts(connection, row, chosen.rejected)
    return 1 if shown["rejected"] or shown["refusal"] else 0


def run_source(settings: Settings, chosen: argparse.Namespace) -> int:
    """Create a source; its secret is stored as a digest only."""
    from pipelines.accounts.organizations import organization_by_name
    from pipelines.accounts.sources import create_source

    require_head(settings)
    with unit_of_work(engine_for(settings)) as connection:
        made = create_source(connection, organization_by_name(connection, chosen.organization), chosen.name)
    if chosen.json:
        print(json.dumps(made))
        return 0
    print(f"source {made['id']} ({made['name']})   secret {made['secret']}   (Authorization: Bearer ...)")
    print("The secret is shown once. Keep it safe.")
    return 0


def run_rotate(settings: Settings, chosen: argparse.Namespace) -> int:
    """Make the next key of an organization."""
    from pipelines.accounts.organizations import organization_by_name
    from pipelines.registry.pseudonyms import rotate

    require_head(settings)
    with unit_of_work(engine_for(settings)) as connection:
        fresh = rotate(connection, settings, organization_by_name(connection, chosen.organization))
    print(f"pseudonyms are made with key version {fresh.version} from now on")
    return 0


def run_destroy(settings: Settings, chosen: argparse.Namespace) -> int:
    """Destroy keys of an organization for good."""
    from pipelines.accounts.organizations import organization_by_name
    from pipelines.registry.pseudonyms import destroy

    require_head(settings)
    with unit_of_work(engine_for(settings)) as connection:
        organization = organization_by_name(connection, chosen.organization)
        gone = destroy(connection, organization, None if chosen.all else chosen.version)
    print(f"destroyed key version{'s' if len(gone) > 1 else ''} {', '.join(map(str, gone))}")
    return 0
