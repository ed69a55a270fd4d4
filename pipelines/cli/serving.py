"""``wattloom serve`` and ``wattloom demo``."""

import argparse
import os

from pipelines.cli.database import require_head
from pipelines.settings import Settings


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``serve`` and ``demo``."""
    serve = commands.add_parser("serve", help="the API")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8000)
    serve.add_argument("--workers", type=int, default=1)
    serve.set_defaults(run=run_serve)
    demo = commands.add_parser("demo", help="the whole platform on this machine, with simulated homes")
    demo.add_argument("--once", action="store_true", help="stop after the report")
    demo.set_defaults(run=run_demo)


def run_serve(settings: Settings, chosen: argparse.Namespace) -> int:
    """Serve until interrupted."""
    import uvicorn

    require_head(settings)
    # Only ever the application's own log, so that no header or body can reach it.
    uvicorn.run(
        "api.app:create_app",
        factory=True,
        host=chosen.host,
        port=chosen.port,
        workers=chosen.workers,
        log_config=None,
        access_log=False,
        server_header=False,
        env_file=None,
        app_dir=os.fspath(""),
    )
    return 0


def run_demo(settings: Settings, chosen: argparse.Namespace) -> int:
    """Run the demo."""
    from pipelines.demo.run import run_demo as show

    return show(settings, keep_running=not chosen.once)
