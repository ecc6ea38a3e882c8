"""Choosing whom to erase, and giving commands. Does not belong here: what is expected of an erasure."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from harmonia.cli.main import app
from pipelines.resources import lake
from pipelines.resources.workplace import Workplace


def of_most_institutions(home: Path, but: str = "") -> str:
    """A person whom the most institutions know, prisons among them: a workbook keeps each text apart from its row."""
    known = lake.read_tables(home / "lake" / "identities")["persons"]
    known = known[known["person_id"] != but]
    spread = known.assign(prison=known["institution"] == "corrections").groupby("person_id")
    counted = spread.agg(prison=("prison", "any"), institutions=("institution", "nunique"))
    return str(counted.sort_values(["prison", "institutions"], ascending=False, kind="stable").index[0])


def harmonia(place: Workplace, *words: object) -> tuple[int, str]:
    """A command in a work place; its exit code, what it said and what it raised."""
    said = CliRunner().invoke(app, [*map(str, words)], env=place.make_environment_variables())
    return said.exit_code, f"{said.output}{said.exception if said.exit_code and not isinstance(said.exception, SystemExit) else ''}"
