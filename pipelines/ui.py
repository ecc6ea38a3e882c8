"""Dagster's pages over a home.

Belongs here: starting them, bound to this machine. They have no login of their own: never bind them wider.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

from rich.console import Console

from pipelines.errors import HarmoniaError
from pipelines.resources.instance import install_dagster
from pipelines.resources.workplace import Workplace

HOST = "127.0.0.1"


def serve(console: Console, workplace: Workplace, port: int) -> None:
    """Replace this process by Dagster's web server and daemon over the home. Raises `HarmoniaError` where the port is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise HarmoniaError(f"port {port} is in use: close what uses it, or name another with --port (or HARMONIA_PORT)") from None
    environment = {
        **os.environ,
        **workplace.environment(),
        "DAGSTER_HOME": str(install_dagster(workplace.home)),
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    console.print(
        f"Dagster's pages over {workplace.home.root} will be at [bold]http://{HOST}:{port}[/] in a few seconds; Ctrl-C ends them."
    )
    sys.stdout.flush()
    quiet = "ignore:Function `dev_command` is superseded"  # `dg dev`, its successor, wants a project of its own form
    dagster = [sys.executable, "-W", quiet, "-m", "dagster", "dev", "-m", "pipelines.definitions"]
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # started in the background, it would be ignored, and SIGTERM with it
    os.execve(sys.executable, [*dagster, "-h", HOST, "-p", str(port), "--log-level", "warning"], environment)  # noqa: S606 - no shell
