"""Writes the prosecution's database `psh.sqlite` with the tables `lenda`, `pala`, `akuza` and `vendimi` (deliveries.md, Prosecution), with
the faults that the delivery has."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sources.simulator.deliveries import Delivery
from sources.simulator.records import Cells

TABLES: dict[str, tuple[tuple[str, str], ...]] = {
    "lenda": (
        ("lenda_id", "INTEGER PRIMARY KEY"),
        ("nr_lendes", "TEXT"),
        ("data_pranimit", "TEXT"),
        ("burimi", "TEXT"),
        ("nr_burimit", "TEXT"),
        ("prokuroria", "TEXT"),
        ("statusi", "TEXT"),
        ("data_statusit", "TEXT"),
    ),
    "pala": (
        ("pala_id", "INTEGER PRIMARY KEY"),
        ("lenda_id", "INTEGER"),
        ("roli", "TEXT"),
        ("emri_mbiemri", "TEXT"),
        ("emri_babait", "TEXT"),
        ("nr_personal", "TEXT"),
        ("datelindja", "TEXT"),
        ("gjinia", "TEXT"),
        ("shtetesia", "TEXT"),
        ("komuna", "TEXT"),
    ),
    "akuza": (
        ("akuza_id", "INTEGER PRIMARY KEY"),
        ("pala_id", "INTEGER"),
        ("ligji", "TEXT"),
        ("neni", "TEXT"),
        ("paragrafi", "TEXT"),
        ("forma", "TEXT"),
        ("kryesore", "INTEGER"),
    ),
    "vendimi": (
        ("vendimi_id", "INTEGER PRIMARY KEY"),
        ("lenda_id", "INTEGER"),
        ("pala_id", "INTEGER"),
        ("lloji", "TEXT"),
        ("data", "TEXT"),
        ("nr_aktakuzes", "TEXT"),
    ),
}
PAGE = 1024


def write_prosecution(folder: Path, delivery: Delivery) -> None:
    """Write the database of a prosecution delivery into `folder`."""
    path = folder / "psh.sqlite"
    records = delivery.records
    rows: dict[str, Iterable[Cells]] = {
        "lenda": [record.cells for record in records],
        "pala": [person.cells for record in records for person in record.persons],
        "akuza": [part.cells for record in records for person in record.persons for part in person.charges],
        "vendimi": [part.cells for record in records for part in record.decisions],
    }
    connection = sqlite3.connect(path)
    try:
        connection.execute(f"PRAGMA page_size = {PAGE}")
        connection.execute("PRAGMA journal_mode = OFF")
        for table, columns in TABLES.items():
            extra = (("verejtje", "TEXT"),) if table == "lenda" and "extra_column" in delivery.faults else ()
            connection.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns + extra)})")
            names = [name for name, _ in columns]
            slots = ", ".join("?" * len(names))
            values: list[list[Any]] = [[cells[name] for name in names] for cells in rows[table]]
            values.sort(key=lambda row: row[0])
            connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({slots})", values)
        if delivery.crosswalk:
            connection.execute("CREATE TABLE kryqezimi (tabela TEXT, id_vjeter INTEGER, id_ri INTEGER)")
            connection.executemany("INSERT INTO kryqezimi VALUES (?, ?, ?)", delivery.crosswalk)
        if "extra_table" in delivery.faults:
            connection.execute("CREATE TABLE perdoruesi (id INTEGER, emri TEXT)")
            connection.execute("INSERT INTO perdoruesi VALUES (1, 'admin')")
        connection.commit()
    finally:
        connection.close()
    if "truncated" in delivery.faults:
        # Truncated inside a page: the header then states more pages than exist, and SQLite refuses every query.
        whole = path.read_bytes()
        path.write_bytes(whole[: max(600, int(len(whole) * 0.55) // PAGE * PAGE + 358)])
