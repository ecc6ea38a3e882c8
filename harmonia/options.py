"""Command-line options that many commands share, with the same help texts and environment variables.

Does not belong here: options of a single command.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Inbox = Annotated[Path | None, typer.Option("--inbox", envvar="HARMONIA_INBOX", help="Folder of deliveries. Default: data/inbox")]
HomeFolder = Annotated[
    Path | None, typer.Option("--home", envvar="HARMONIA_HOME", help="Home folder with all data of the installation. Default: data/home")
]
RegistryUrl = Annotated[
    str | None,
    typer.Option("--registry-url", envvar="HARMONIA_REGISTRY_URL", help="Registry in another database. Default: SQLite in the home"),
]
WarehouseUrl = Annotated[
    str | None,
    typer.Option("--warehouse-url", envvar="HARMONIA_WAREHOUSE_URL", help="Also publish to PostgreSQL. Default: only DuckDB in the home"),
]
