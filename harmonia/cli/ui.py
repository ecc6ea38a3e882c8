"""Serve Dagster's web pages for a home. Only this machine can open them, since the pages have no login."""

from __future__ import annotations

import os
import signal
import socket
import sys

from rich.console import Console

from harmonia.errors import HarmoniaError
from pipelines.resources.instance import install_dagster_settings
from pipelines.resources.workplace import Workplace

HOST = "127.0.0.1"


def serve_dagster_pages(console: Console, workplace: Workplace, port: int) -> None:
    """Replace this process by Dagster's web server and daemon for the home. Raises `HarmoniaError` if the port is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise HarmoniaError(f"port {port} is in use: close what uses it, or name another with --port (or HARMONIA_PORT)") from None
    environment = {
        **os.environ,
        **workplace.make_environment_variables(),
        "DAGSTER_HOME": str(install_dagster_settings(workplace.home)),
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    console.print(
        f"Dagster's pages for {workplace.home.root} will be at [bold]http://{HOST}:{port}[/] in a few seconds. Press Ctrl-C to stop."
    )
    sys.stdout.flush()
    quiet = "ignore:Function `dev_command` is superseded"  # its successor `dg dev` requires another project layout
    dagster = [sys.executable, "-W", quiet, "-m", "dagster", "dev", "-m", "pipelines.definitions"]
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a background process would otherwise ignore SIGINT
    os.execve(sys.executable, [*dagster, "-h", HOST, "-p", str(port), "--log-level", "warning"], environment)  # noqa: S606 - no shell
