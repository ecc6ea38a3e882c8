"""The findings of one delivery or upload, in a table that can be filtered quickly.

Belongs here: making the table from a `findings.json` (the report that the institution gets), filters, pages. Does not belong here: what a
finding is (`schemas/rules`), answers (`harmonia.feedback`).

The table is an SQLite file. It is written under another name, then renamed, and after that it is only read; so it needs no lock, however
many users look at it. Its name contains the size, time and inode of the report. It is in `HOME/portal/findings`, since delivered values are
personal data. If it is missing, it is made again.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from harmonia.errors import convert_storage_errors
from schemas.findings import LANGUAGES, rules

PAGE_LENGTH = 50
KINDS = ("waiting", "answered", "to_do", "consequence", "fixed", "accepted", "information", "all")
"""The kinds by which the list can be filtered: findings that wait for an answer, findings with an answer, both together (`to_do`), four
kinds that need no answer, and all findings."""
_COLUMNS = ("finding", "rule", "severity", "life", "since", "unit", "number", "record_key", "file", "part", "line", "cell", "field")
_DERIVED_COLUMNS = ("value", "detail", "figures", "follows", "kind", "text")
_NONE: Mapping[str, bool] = {}
_MAX_READING_SECONDS = 600  # seconds after which no page reads the table of an earlier report


@dataclass(frozen=True)
class Filter:
    """The filter of a list of findings. `kind` is one of `KINDS`. `text` is looked for in all cells of a row. `page` is the number of
    the page, from 1. A field that is empty excludes nothing."""

    kind: str = "waiting"
    unit: str = ""
    severity: str = ""
    rule: str = ""
    text: str = ""
    page: int = 1


@dataclass(frozen=True)
class FindingPage:
    """One page of a list of findings: its rows, the number of all matching findings, and the number of pages."""

    rows: Sequence[Mapping[str, Any]]
    total: int
    pages: int


@dataclass(frozen=True)
class Findings:
    """The findings of one report, stored in a table. `head` has what the report says about the delivery as a whole.

    The parameter `answered` of the methods has the findings with an answer. It maps each of them to true, or to false if the answer was
    refused.
    """

    table: Path
    head: Mapping[str, Any]

    def list_page(self, wanted: Filter, answered: Mapping[str, bool] = _NONE) -> FindingPage:
        """Return the page that a filter selects."""
        where, values = self._build_where_clause(wanted, answered)
        first = (max(1, wanted.page) - 1) * PAGE_LENGTH
        with _open_findings_table(self.table) as connection:
            total = connection.execute(f"SELECT count(*) FROM finding WHERE {where}", values).fetchone()[0]
            rows = connection.execute(
                f"SELECT * FROM finding WHERE {where} ORDER BY n LIMIT {PAGE_LENGTH} OFFSET {first}", values
            ).fetchall()
        return FindingPage([dict(row) for row in rows], total, max(1, -(-total // PAGE_LENGTH)))

    def list_names(self, wanted: Filter, answered: Mapping[str, bool] = _NONE) -> list[str]:
        """List the names of all findings that a filter selects, to answer them together."""
        where, values = self._build_where_clause(wanted, answered)
        with _open_findings_table(self.table) as connection:
            return [row[0] for row in connection.execute(f"SELECT DISTINCT finding FROM finding WHERE {where} ORDER BY n", values)]

    def find_one(self, finding: str) -> Mapping[str, Any] | None:
        """Return the finding with this name, or None if there is none."""
        with _open_findings_table(self.table) as connection:
            row = connection.execute("SELECT * FROM finding WHERE finding = ? LIMIT 1", (finding,)).fetchone()
        return dict(row) if row else None

    def count_kind(self, kind: str, answered: Mapping[str, bool] = _NONE) -> int:
        """Count the findings of one kind."""
        where, values = self._build_where_clause(Filter(kind=kind), answered)
        with _open_findings_table(self.table) as connection:
            return int(connection.execute(f"SELECT count(*) FROM finding WHERE {where}", values).fetchone()[0])

    def count_choices(self, kind: str, answered: Mapping[str, bool] = _NONE) -> Mapping[str, Sequence[tuple[str, int]]]:
        """Return the values of unit, severity and rule that the findings of one kind have. Each value has its number of findings; the
        most frequent value comes first."""
        where, values = self._build_where_clause(Filter(kind=kind), answered)
        with _open_findings_table(self.table) as connection:
            return {
                column: [
                    (value, number)
                    for value, number in connection.execute(
                        f"SELECT {column}, count(*) FROM finding WHERE {where} AND {column} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1",
                        values,
                    )
                ]
                for column in ("unit", "severity", "rule")
            }

    @staticmethod
    def _build_where_clause(wanted: Filter, answered: Mapping[str, bool]) -> tuple[str, dict[str, Any]]:
        """Return the SQL condition that selects the wanted findings, and the values of its parameters."""
        given = """(finding IN (SELECT value FROM json_each(:answered)) OR answer IS NOT NULL AND answer != 'refused'
            AND finding NOT IN (SELECT value FROM json_each(:refused)))"""
        kinds = {
            "waiting": f"kind = 'to_do' AND NOT {given}",
            "answered": f"kind = 'to_do' AND {given}",
            "all": "1",
        }
        terms = [kinds.get(wanted.kind, "kind = :kind")]
        for column in ("unit", "severity", "rule"):
            if getattr(wanted, column):
                terms.append(f"{column} = :{column}")
        if wanted.text:
            terms.append("text LIKE :text ESCAPE '!'")
        escaped = "".join(f"!{c}" if c in "!%_" else c for c in wanted.text.casefold())
        values = {"kind": wanted.kind, "text": f"%{escaped}%"}
        values |= {
            name: json.dumps([f for f, holds in answered.items() if holds == (name == "answered")]) for name in ("answered", "refused")
        }
        return " AND ".join(terms), {**values, "unit": wanted.unit, "severity": wanted.severity, "rule": wanted.rule}


def open_findings(report: Path) -> Findings | None:
    """Open the findings of a `findings.json`. The result is None if the file does not exist, because the delivery was never read, or
    because the report was deleted after the time for which it is kept."""
    folder = settings.FOLDER / "findings" / f"{report.parent.parent.name}.{report.parent.name}"
    try:
        status = report.stat()
        table = folder / f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}.sqlite3"
        if not table.is_file():
            _write_findings_table(report, table)
    except FileNotFoundError:
        return None
    with _open_findings_table(table) as connection:
        head = json.loads(connection.execute("SELECT head FROM about").fetchone()[0])
    return Findings(table, head)


@contextmanager
def _open_findings_table(table: Path) -> Iterator[sqlite3.Connection]:
    """Open the SQLite file of findings for reading, and close it after the block."""
    with closing(sqlite3.connect(f"file:{table}?mode=ro&immutable=1", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


def _write_findings_table(report: Path, table: Path) -> None:
    """Write the SQLite file for a report, and remove old files of earlier reports."""
    document = json.loads(report.read_text("utf-8"))
    findings = document.pop("findings")
    folder = table.parent
    with convert_storage_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, new_table = tempfile.mkstemp(dir=folder)
        os.close(descriptor)
    names = (*_COLUMNS, *_DERIVED_COLUMNS, "answer")
    with closing(sqlite3.connect(new_table)) as connection, connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute(f"CREATE TABLE finding (n INTEGER PRIMARY KEY, {', '.join(names)})")
        connection.executemany(
            f"INSERT INTO finding ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", (_make_table_row(one) for one in findings)
        )
        for columns in ("kind", "finding", "rule, kind", "unit, kind", "severity, kind"):
            connection.execute(f"CREATE INDEX {'by_' + columns.replace(', ', '_')} ON finding ({columns})")
        connection.execute("CREATE TABLE about (head)")
        connection.execute("INSERT INTO about VALUES (?)", (json.dumps(document),))
    with convert_storage_errors(table):
        Path(new_table).replace(table)
    for old in folder.glob("*.sqlite3"):
        with suppress(FileNotFoundError):
            if old != table and old.stat().st_mtime < time.time() - _MAX_READING_SECONDS:
                old.unlink()


def _make_table_row(finding: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a finding as a row of the table. The column `text` contains all texts in which users can search."""
    cells = {name: finding.get(name) for name in _COLUMNS} | {"life": finding["state"]}
    rule = rules()[finding["rule"]]
    rule_texts = [rule.text[language] for language in LANGUAGES]
    delivered = [cells[name] for name in ("unit", "number", "record_key", "file", "part", "cell", "field")]
    text = " ".join(
        str(part) for part in (*delivered, finding.get("value"), finding.get("detail"), finding["rule"], *rule_texts) if part is not None
    )
    derived = (
        finding.get("value"),
        finding.get("detail"),
        json.dumps(finding.get("figures") or []),
        finding.get("follows"),
        _decide_kind_of_finding(finding, rule.level),
    )
    return (*cells.values(), *derived, text.casefold(), finding.get("answer"))


def _decide_kind_of_finding(finding: Mapping[str, Any], level: str) -> str:
    """Return the kind of a finding (see `KINDS`). `level` is the level of its rule."""
    if finding["state"] == "fixed":
        return "fixed"
    if finding["state"] == "accepted_as_is":
        return "accepted"
    if finding["origin"] == "consequence":
        return "consequence"
    return "to_do" if finding["severity"] != "info" or level == "cross_institution" else "information"
