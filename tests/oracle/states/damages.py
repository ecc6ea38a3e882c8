"""Deliveries damaged in the ways in which they arrive damaged."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import openpyxl
from lxml import etree

INSTITUTIONS = ("police", "inspectorate", "prosecution", "courts", "corrections")
FILES = {
    "police": ("rastet.csv", "personat.csv"),
    "inspectorate": ("raporti.xlsx",),
    "prosecution": ("psh.sqlite",),
    "courts": ("smil.xml",),
    "corrections": ("shkk.xlsx",),
}
QUARTERS = tuple(f"{year}-Q{quarter}" for year in (2014, 2015) for quarter in range(1, 5))
KINDS = ("cut", "noise", "forgotten", "doubled", "empty")

COMPLETE, PARTIAL, UNREADABLE, MISSING = "complete", "partial", "unreadable", "missing"


@dataclass(frozen=True)
class Damage:
    """One damaged delivery, and the states that it can have: a part of it may still be readable, the whole is not."""

    institution: str
    quarter: str
    kind: str

    @property
    def allowed(self) -> frozenset[str]:
        if self.kind == "thin":  # well formed: the state is that of any delivery, the fall in volume is reported
            return frozenset({COMPLETE, PARTIAL})
        if self.kind == "doubled":  # nothing is lost; a second root element makes XML ill-formed
            return frozenset({COMPLETE, PARTIAL})
        if self.kind == "cut" or self.institution == "police":
            return frozenset({PARTIAL, UNREADABLE})
        return frozenset({UNREADABLE, MISSING}) if self.kind == "forgotten" else frozenset({UNREADABLE})

    def __str__(self) -> str:
        return f"{self.institution} {self.quarter} ({self.kind})"


def plan() -> list[Damage]:
    """Every damage once for each institution, no two in one delivery; three quarters of each institution stay whole."""
    return [
        Damage(institution, QUARTERS[(place + number) % len(QUARTERS)], kind)
        for place, institution in enumerate(INSTITUTIONS)
        for number, kind in enumerate(KINDS)
    ]


def corrections() -> list[Damage]:
    """Later versions that cannot be read, of quarters that a version before them delivers whole."""
    return [Damage(damage.institution, damage.quarter, "noise") for damage in plan() if damage.kind == "cut"]


def thin() -> list[Damage]:
    """Later versions with a fifteenth of the last quarter's records; the inspectorate has too few a quarter to measure by."""
    return [Damage(institution, QUARTERS[-1], "thin") for institution in INSTITUTIONS if institution != "inspectorate"]


def apply(inbox: Path, damage: Damage, version: str = "") -> None:
    """Damages a delivery of an inbox."""
    folder = inbox / damage.institution / f"{damage.quarter}{version}"
    name = FILES[damage.institution][-1 if damage.kind == "empty" else 0]
    file = folder / name
    whole = file.read_bytes()
    if damage.kind == "cut":
        file.write_bytes(whole[: len(whole) // 3])
    elif damage.kind == "noise":
        file.write_bytes(random.Random(str(damage)).randbytes(20_000))
    elif damage.kind == "forgotten":
        file.unlink()
        (folder / "lexo.txt").write_text("Dorëzimi i tremujorit.\n", encoding="utf-8")
    elif damage.kind == "doubled" and file.suffix in (".csv", ".xml"):
        file.write_bytes(whole + whole)
    elif damage.kind == "doubled":
        (folder / f"Kopje e {name}").write_bytes(whole)
    elif damage.kind == "empty":
        file.write_bytes(b"")
    elif damage.kind == "thin" and damage.institution == "police":
        _thin_police(folder)
    elif damage.kind == "thin":
        _thin(file)


def heal(source: Path, inbox: Path, damage: Damage, version: str = "_v2") -> Path:
    """Delivers the quarter again, whole, as a later version."""
    target = inbox / damage.institution / f"{damage.quarter}{version}"
    shutil.copytree(source / damage.institution / damage.quarter, target)
    return target


def _thin_police(folder: Path) -> None:
    """Leaves one case in fifteen with its persons."""
    kept: set[bytes] = set()
    for name in FILES["police"]:
        header, *lines = (folder / name).read_bytes().splitlines(keepends=True)
        kept = kept or {line.partition(b";")[0] for line in lines[: max(1, len(lines) // 15)]}
        (folder / name).write_bytes(b"".join([header, *(line for line in lines if line.partition(b";")[0] in kept)]))


def _thin(file: Path) -> None:
    """Leaves one case or row in fifteen or more, well formed."""
    if file.suffix == ".xml":
        tree = etree.parse(str(file))
        for element in list(tree.getroot())[max(1, len(tree.getroot()) // 15) :]:
            tree.getroot().remove(element)
        tree.write(str(file), encoding="UTF-8", xml_declaration=True)
    elif file.suffix == ".sqlite":
        with closing(sqlite3.connect(file)) as database, database:
            kept = "SELECT lenda_id FROM lenda ORDER BY lenda_id LIMIT (SELECT max(1, count(*) / 15) FROM lenda)"
            database.execute(f"DELETE FROM akuza WHERE pala_id IN (SELECT pala_id FROM pala WHERE lenda_id NOT IN ({kept}))")
            database.execute(f"DELETE FROM vendimi WHERE lenda_id NOT IN ({kept})")
            database.execute(f"DELETE FROM pala WHERE lenda_id NOT IN ({kept})")
            database.execute(f"DELETE FROM lenda WHERE lenda_id NOT IN ({kept})")
    else:
        book = openpyxl.load_workbook(file)
        first, *others = book.worksheets
        for sheet in others:
            sheet.delete_rows(2, sheet.max_row)
        first.delete_rows(3, first.max_row)
        book.save(file)


def staged(source: Path, inbox: Path, damages: list[Damage]) -> Iterator[Damage]:
    """Copies an inbox and damages it; yields what was damaged."""
    shutil.copytree(source, inbox)
    for damage in damages:
        apply(inbox, damage)
        yield damage
