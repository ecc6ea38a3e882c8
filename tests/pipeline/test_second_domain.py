"""Another country and topic, as data alone: through the whole chain to reports and a release (docs/how-to/another-country.md)."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.second_domain import deliver, recount

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests/second_domain/folder"
DIMENSIONS = ("offence_group", "form", "sex", "age_group", "citizenship_group")


def harmonia(*arguments: str | Path, folder: Path = FOLDER) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from harmonia.cli.main import main; main()", *map(str, arguments)]
    env = os.environ | {"HARMONIA_DOMAIN": str(folder)}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("valmira")
    deliver.deliver(root / "inbox", deliver.world())
    done = harmonia("run", "--inbox", root / "inbox", "--home", root / "home")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 reject · 0 error · 0 warning" in done.stdout
    assert "of which bodily" in done.stdout and "traffick" not in done.stdout.lower()
    return root / "home"


def published(home: Path, measure: str) -> recount.Figures:
    """Totals and one-way tables of `statistics`, without zeros."""
    found = recount.Figures()
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as warehouse:
        rows = warehouse.execute(f"SELECT indicator, period, {', '.join(DIMENSIONS)}, {measure} FROM statistics").fetchall()
    for indicator, period, *values, number in rows:
        named = [(name, value) for name, value in zip(DIMENSIONS, values, strict=True) if value != "total"]
        if len(named) < 2 and number and named[:1] != [("form", "unknown")]:
            found[indicator, period, *(named[0] if named else ("total", "total"))] = number
    return found


@pytest.mark.slow
def test_figures_are_those_of_a_plain_recount(home: Path) -> None:
    expected = recount.as_reported(home.parent / "inbox")
    assert published(home, "as_reported") == expected
    assert len(expected) > 700
    assert published(home, "harmonised") == recount.harmonised(deliver.world())


@pytest.mark.slow
def test_nothing_of_the_built_in_domain_is_published(home: Path) -> None:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as warehouse:
        names = [name for (name,) in warehouse.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        values = {str(value) for name in names for row in warehouse.execute(f'SELECT * FROM "{name}"').fetchall() for value in row}
    for word in ("police", "prosecution_courts", "trafficking", "XKX", "KPRK2012", "prishtine", "victims_assisted"):
        assert word not in values
    assert {"landespolizei", "violence", "XVA", "SGB2014", "altstadt"} <= values


COMMANDS = (
    "release sign --key {out}/key.pem --name Coordinator --day 2015-01-15 --home {home}",
    "release create --as-of 2015-03-31 --home {home}",
    "release verify --home {home}",
    *(f"report --period 2014 --audience {one} --lang en --no-pdf --out {{out}} --home {{home}}" for one in ("public", "coordinator")),
    "report --period 2014 --audience institution --institution tribunaux --lang en --no-pdf --out {out} --home {home}",
    "export create package --out {out}/package --home {home}",
    "export create sdmx --out {out}/sdmx --home {home}",
)


@pytest.mark.slow
def test_a_release_reports_and_exports_follow(home: Path, tmp_path: Path) -> None:
    for command in COMMANDS:
        done = harmonia(*command.format(home=home, out=tmp_path).split())
        assert done.returncode == 0, (command, done.stdout + done.stderr)
    made = [path for root in (tmp_path, home / "releases", home / "explorer") for path in root.rglob("*") if path.suffix in READ]
    texts = {path.name: path.read_text("utf-8") for path in made}
    assert {"public-2014-en.html", "coordinator-2014-en.html", "cube.csv", "structure.xml", "index.html"} <= set(texts)
    assert "Public annual report on crime" in texts["public-2014-en.html"]
    assert not [name for name, text in texts.items() if "traffick" in text.lower() or "kosov" in text.lower()]
    true = recount.harmonised(deliver.world())
    printed = [row for row in csv.DictReader(texts["cube.csv"].splitlines()) if row["measure"] == "harmonised" and row["table"] == "total"]
    values = {(row["indicator"], row["of"]): int(row["value"]) for row in printed if row["value"]}
    assert len(values) == 8  # four indicators of the policy, two years
    assert values == {(code, year): true[code, year, "total", "total"] for code, year in values}


READ = (".csv", ".html", ".xml", ".json", ".yaml")


@pytest.mark.parametrize(
    ("file", "was", "becomes", "says"),
    [
        ("topic.yaml", "leading: violence", "leading: arson", "topic.yaml"),
        ("country.yaml", "domestic: XVA", "domestic: XKX", "countries.csv"),
        ("texts.yaml", "explorer:", "explorers:", "texts.yaml"),
        ("sources/tribunaux/contract.yaml", "stage: courts", "stage: corrections", "stages of the domain"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused_in_one_line(tmp_path: Path, file: str, was: str, becomes: str, says: str) -> None:
    folder = tmp_path / "domain"
    shutil.copytree(FOLDER, folder)
    text = (folder / file).read_text("utf-8")
    assert was in text
    (folder / file).write_text(text.replace(was, becomes, 1), "utf-8")
    done = harmonia("run", "--inbox", tmp_path, "--home", tmp_path / "home", folder=folder)
    assert done.returncode == 1 and says in done.stderr + done.stdout and "Traceback" not in done.stderr
