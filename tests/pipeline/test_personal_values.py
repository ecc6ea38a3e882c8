"""No name and no personal number of anybody outside the stores that hold them: searched for, every one of them, in everything else.

The persons of the truth and every personal value that was delivered wrong; over simulated deliveries with every kind of fault, a run that
fails.
"""

from __future__ import annotations

import csv
import re
import shutil
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest

from pipelines.assets import counting
from pipelines.errors import HarmoniaError
from pipelines.progress import Silence
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from sources import contract
from sources.simulator import simulate

PERSONAL = ("lake", "landing", "feedback", "identity.duckdb", "published")  # may hold personal data, and are for their owner alone
CONSTANT = ("bridge_causes", "indicators")  # texts that every warehouse holds: some of their words are also names
OPEN = ("warehouse.duckdb", "analysts.duckdb")
WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")


def plain(text: str) -> str:
    """Without case and marks on letters."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()


def persons(truth: Path) -> tuple[set[str], set[str]]:
    """Personal numbers and names of everybody in a truth: each name of more than three letters, full names in either order, and both as
    they were delivered wrong.
    """
    numbers, names = set(), set()
    with (truth / "persons.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            numbers |= {row["personal_number"]}
            for surname in (row["surname"], row.get("maiden_name", "")):
                given = row["given_name"]
                names |= {plain(name) for name in (given, surname) if len(name) > 3}
                names |= {plain(f"{given} {surname}"), plain(f"{surname} {given}")} if given and surname else set()
    personal = {
        c.name
        for i in contract.institutions()
        for t in contract.load(i).tables.values()
        for c in t.columns
        if c.type in ("name", "personal_number")
    }
    with (truth / "defects.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["field"] in personal:
                for value in (row["true_value"], row["delivered_value"]):
                    numbers |= {value} if value.isdigit() and len(value) >= 8 else set()
                    names |= {plain(value)} if " " in value.strip() and not any(c.isdigit() for c in value) else set()
    return {n for n in numbers if n}, {n for n in names if n.strip()}


def texts(home: Path) -> Iterator[tuple[str, str]]:
    """All text outside the personal stores: every file as it lies on the disk, and every cell of the open databases."""
    for path in home.rglob("*"):
        name = str(path.relative_to(home))
        if path.is_file() and not name.startswith((*PERSONAL, *OPEN)):
            yield name, path.read_bytes().decode("utf-8", "replace")
        yield f"name of {name}", "" if name.startswith(("lake", "landing")) else name
    for name in OPEN:
        with duckdb.connect(str(home / name), read_only=True) as connection:
            for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                rows = connection.execute(f'FROM "{table}"').fetchall()
                yield f"{name} {table}", "\n".join(" ".join("" if v is None else str(v) for v in row) for row in rows)


def found(home: Path, truth: Path, further: dict[str, str]) -> list[str]:
    """Where a number or a full name of somebody stands that may not stand there. The places only, not the values."""
    numbers, names = persons(truth)
    assert len(numbers) > 10
    assert len(names) > 20
    out = []
    for where, text in [*texts(home), *further.items()]:
        words = [plain(word) for word in WORD.findall(text)]
        pairs = {f"{a} {b}" for a, b in pairwise(words)}
        single = set() if where.endswith(CONSTANT) or where.startswith("scorecards") else set(words)
        if (
            (pairs | single) & names
            or {w for w in words if w.isdigit()} & numbers
            or any(n in text for n in numbers if len(n) >= 10 and n in text)
        ):
            out.append(where)
    return out


def failing(place: Workplace, truth: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a run says that stumbles over a row of somebody."""
    numbers, names = persons(truth)

    def stumbles(*_: object) -> None:
        raise ValueError(f"cannot count {max(names)} {max(numbers)}")

    with monkeypatch.context() as patched, pytest.raises(HarmoniaError) as failed:
        patched.setattr(counting, "everything", stumbles)
        run_everything(place, Silence())
    return str(failed.value)


@pytest.mark.slow  # two whole runs
def test_nobody_is_found_outside_the_personal_stores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    made = simulate(tmp_path / "set", seed=23, start=2013, years=1, cases_per_year=30, noise="hard")
    for wrong in sorted(made.inbox.glob("*/*"))[::4]:  # a run full of errors: names of files, cut files, rows that are none
        for path in [p for p in wrong.iterdir() if p.is_file()]:
            path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
            shutil.copyfile(path, wrong / f"copy of {path.name}")
    place = Workplace.of(made.inbox, tmp_path / "home")
    run_everything(place, Silence())
    said = failing(place, made.truth, monkeypatch)
    output = capfd.readouterr()
    assert found(place.home.root, made.truth, {"error": said, "log": caplog.text, "output": output.out + output.err}) == []
    planted = place.logs / "planted.log"
    planted.parent.mkdir(exist_ok=True)
    planted.write_text(f"of {max(persons(made.truth)[1])}", "utf-8")
    assert found(place.home.root, made.truth, {}) == ["logs/planted.log"]  # the search does find
