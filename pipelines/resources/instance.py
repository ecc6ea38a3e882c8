"""Dagster's own settings in a home. Belongs here: putting the shipped `dagster.yaml` there. Imports no Dagster: commands start faster."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipelines.errors import storage
from pipelines.home import Home


def install_dagster(home: Home) -> Path:
    """Put the shipped `dagster.yaml` into the home where there is none yet; returns the folder (`DAGSTER_HOME`)."""
    home.create()
    settings = home.dagster / "dagster.yaml"
    if not settings.exists():
        with storage(settings):
            shutil.copyfile(Path(__file__).parent / "dagster.yaml", settings)
    return home.dagster
