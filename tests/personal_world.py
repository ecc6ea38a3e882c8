"""Looking for everybody of a truth outside the stores that may hold personal data.

Belongs here: who is looked for, everything that is looked through, taking out all that may leave the house. Does not belong here: the
deliveries and the runs (`pipeline/test_personal_values.py` a simulated set, `benchmarks/personal_values.py` any).
"""

from __future__ import annotations

import csv
import io
import re
import sqlite3
import unicodedata
import zipfile
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from itertools import pairwise
from pathlib import Path

import duckdb
from release_world import signed
from typer.testing import CliRunner

from harmonia.cli.main import app
from schemas.findings import LANGUAGES
from sources import contract
from warehouse.exports.catalogue import list_declared_exports

PERSONAL = ("lake", "landing", "feedback", "identity.duckdb", "published")  # may hold personal data, and are for their owner alone
ROOT = Path(__file__).parents[1]
OPEN = ("warehouse.duckdb", "analysts.duckdb")
REGISTRY = "registry.sqlite"
NAMES_OF_FILES = {("delivery_file", "name"), ("problem", "file")}  # as delivered: docs/explanation/security.md
_BARRED = str.maketrans("Đđ", "Dd")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")  # how JSON, and so Dagster's history, spells a letter with a mark
WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")


def plain(text: str) -> str:
    """Without case and marks on letters. The bar of a đ is no mark: left to itself Đorđe were `ore`, which any bytes may spell."""
    return unicodedata.normalize("NFKD", text.translate(_BARRED)).encode("ascii", "ignore").decode().lower()


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


def taken_out(home: Path, day: str, period: str, policy: str | None = None) -> None:
    """Take out all that may leave the house: a release under `policy` (default: for a few indicators), every export (in full, too), every
    report, a backup. Into folders of `home` where they have no other place."""
    signed(home, policy)
    key, signer = home.parent / "coordinator.pem", ("--name", "A Coordinator", "--day", day)
    _harmonia("release", "create", "--home", home, "--as-of", day)
    for one in list_declared_exports().values():
        for lang in LANGUAGES:
            out, approval = home / "exported" / one.name / lang, home / f"approval-{one.name}.json"
            if one.public:
                _harmonia("export", "create", one.name, "--home", home, "--lang", lang, "--out", out)
            if one.exact:
                to = ("--recipient", "An Office", "--home", home)
                _harmonia("export", "approve", one.name, *to, "--key", key, *signer, "--out", approval)
                _harmonia("export", "create", one.name, "--full", *to, "--approval", approval, "--lang", lang, "--out", out / "full")
    for lang in LANGUAGES:
        for audience in ("coordinator", "government", "public"):
            _harmonia("report", "--home", home, "--period", period, "--audience", audience, "--lang", lang, "--no-pdf")
        for name in contract.institutions():
            options = ("--audience", "institution", "--institution", name, "--lang", lang, "--no-pdf")
            _harmonia("report", "--home", home, "--period", period, *options)
    _harmonia("backup", home.with_name(f"{home.name}-kept"), "--home", home)


def _harmonia(*arguments: object) -> None:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 0, f"{arguments}: {result.output} {result.exception!r}"


def _inside(path: Path) -> str:
    """What a file says: the parts of an archive or workbook, the cells of Parquet, any other as it lies on the disk."""
    content = path.read_bytes()
    if content.startswith(b"PAR1"):
        return "\n".join(" ".join(map(str, row)) for row in duckdb.read_parquet(str(path)).fetchall())
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            content = b"\n".join(archive.read(name) for name in archive.namelist())
    return _ESCAPED.sub(lambda letter: chr(int(letter[1], 16)), content.decode("utf-8", "replace"))


def texts(home: Path) -> Iterator[tuple[str, str]]:
    """All text outside the personal stores: every file, every cell of the open databases, the names of files, also of a backup."""
    yield "registry", _ledger(home / REGISTRY)
    for path in home.rglob("*"):
        name = str(path.relative_to(home))
        if path.is_file() and not name.startswith((*PERSONAL, *OPEN, REGISTRY)):
            yield name, _inside(path)
        yield f"name of {name}", name
    kept = home.with_name(f"{home.name}-kept")
    for path in kept.rglob("*"):
        yield f"name of {path.relative_to(kept.parent)}", path.name
    for name in OPEN:
        with duckdb.connect(str(home / name), read_only=True) as connection:
            for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                rows = connection.execute(f'FROM "{table}"').fetchall()
                yield f"{name} {table}", "\n".join(" ".join("" if v is None else str(v) for v in row) for row in rows)


def _ledger(path: Path) -> str:
    """Every cell of the registry but the names of delivered files."""
    cells = []
    with closing(sqlite3.connect(path)) as base:
        for (table,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            columns = [column for _, column, *_ in base.execute(f'PRAGMA table_info("{table}")')]
            listed = ", ".join(f'"{column}"' for column in columns if (table, column) not in NAMES_OF_FILES)
            rows = base.execute(f'SELECT {listed} FROM "{table}"')
            cells += [" ".join(str(value) for value in row if value is not None) for row in rows]
    return "\n".join(cells)


@cache
def own_words() -> frozenset[str]:
    """Words of the program or of a contract: a few are also names, as the Albanian for union. As part of a full name they are
    looked for all the same."""
    paths = [
        p
        for folder in ("harmonia", "pipelines", "schemas", "warehouse")
        for kind in ("*.yaml", "*.j2", "*.csv", "*.js")
        for p in (ROOT / folder).rglob(kind)
    ] + sorted((ROOT / "sources").glob("*/contract.yaml"))
    return frozenset(plain(word) for path in paths for word in WORD.findall(path.read_text("utf-8")))


def found(home: Path, truth: Path, further: dict[str, str]) -> list[str]:
    """Where somebody's number or full name occurs and must not. The places only, not the values."""
    numbers, names = persons(truth)
    assert len(numbers) > 10
    assert len(names) > 20
    out = []
    for where, text in [*texts(home), *further.items()]:
        words = [plain(word) for word in WORD.findall(text)]
        pairs = {f"{a} {b}" for a, b in pairwise(words)}
        if (pairs | set(words) - own_words()) & names or set(words) & numbers or any(n in text for n in numbers if len(n) >= 10):
            out.append(where)
    return out
