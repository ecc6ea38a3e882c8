"""Deliveries full of people's names where no name is expected: of files, folders, sheets, headers, stations, tags, tables, codes.

Belongs here: writing them into simulated deliveries. Does not belong here: looking for them (`personal_world`).
"""

from __future__ import annotations

import csv
import itertools
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import openpyxl
from openpyxl.cell.cell import MergedCell


def planted(inbox: Path, truth: Path) -> None:
    """Put names of persons of the truth into a delivery of each institution in turn, and into folders of the inbox."""
    names = full_names(truth)
    for institution in sorted(path for path in inbox.iterdir() if path.is_dir()):
        deliveries = sorted(path for path in institution.iterdir() if path.is_dir())
        for delivery in deliveries[-2:]:
            for path in sorted(path for path in delivery.iterdir() if path.is_file()):
                _KINDS.get(path.suffix, _nothing)(path, names)
                shutil.copyfile(path, delivery / f"{next(names)}{path.suffix}")
            (delivery / f"{next(names)}.txt").write_text(next(names), "utf-8")
            (delivery / next(names)).mkdir()
        shutil.copytree(deliveries[0], institution / f"2013-Q9 {next(names)}")
    shutil.copytree(inbox / "police", inbox / next(names))


def full_names(truth: Path) -> Iterator[str]:
    """Full names of persons of a truth, over and over."""
    with (truth / "persons.csv").open(encoding="utf-8", newline="") as file:
        found = [f"{row['given_name']} {row['surname']}" for row in csv.DictReader(file) if row["given_name"] and row["surname"]]
    return itertools.cycle(found[::7])


def _nothing(path: Path, names: Iterator[str]) -> None:
    """A kind of file that is left as it is."""


def _delimited(path: Path, names: Iterator[str]) -> None:
    """A column that nobody declared; the last declared one under another name; a value of each row in the middle column."""
    content = path.read_bytes()
    lines = content.decode("utf-8-sig" if content.startswith(b"\xef\xbb\xbf") else "cp1250").splitlines()
    header, *rows = [line.split(";") for line in lines]
    header = [*header[:-1], next(names), next(names)]
    middle = len(header) // 2
    changed = ([next(names)] if n % 5 == 0 else row[middle : middle + 1] for n, row in enumerate(rows))
    rows = [[*row[:middle], *value, *row[middle + 1 :], "x"] for row, value in zip(rows, changed, strict=True)]
    path.write_text("\n".join(";".join(row) for row in [header, *rows]) + "\n", "utf-8-sig")


def _workbook(path: Path, names: Iterator[str]) -> None:
    """A sheet more, the last one under another name, a column more and codes in all."""
    book = openpyxl.load_workbook(path)
    for sheet in book.worksheets:
        sheet.cell(row=1, column=sheet.max_column + 1, value=next(names))
        for row in range(2, sheet.max_row + 1, 5):
            cell = sheet.cell(row=row, column=max(1, sheet.max_column // 2))
            if not isinstance(cell, MergedCell):
                cell.value = next(names)
    if len(book.worksheets) > 1:
        book.worksheets[-1].title = next(names)[:31]
    book.create_sheet(next(names)[:31]).append([next(names), next(names)])
    book.save(path)


def _tree(path: Path, names: Iterator[str]) -> None:
    """Tags and attributes that nobody declared, and codes that are none."""
    text = path.read_text("utf-8")
    tag = re.sub(r"\W", "_", next(names))
    root = re.search(r"<(\w+)[^>?]*>", text)
    assert root
    text = text.replace(root[0], f'{root[0]}<{tag} who="{next(names)}">{next(names)}</{tag}>', 1)
    text = re.sub(r"<(statusi|lloji|gjykata)>[^<]*<", lambda found: f"<{found[1]}>{next(names)}<", text, count=8)
    path.write_text(text, "utf-8")


def _database(path: Path, names: Iterator[str]) -> None:
    """A table and a column that nobody declared, and values that are no codes."""
    with sqlite3.connect(path) as base:
        tables = [name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        base.execute(f'CREATE TABLE "{next(names)}" ("{next(names)}" TEXT)')
        for table in tables:
            base.execute(f'ALTER TABLE "{table}" ADD COLUMN "{next(names)}" TEXT')
            column = base.execute(f'PRAGMA table_info("{table}")').fetchall()[-2][1]
            base.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid % 5 = 0', [next(names)])
    base.close()


_KINDS = {".csv": _delimited, ".xlsx": _workbook, ".xml": _tree, ".sqlite": _database}
