"""Does the reader of delimited text accept or lose rows of damaged files? Goal: no row that the clean twin lacks, none lost without a
finding.

    python -m benchmarks corpora_csv DIR

DIR contains `polluted_files/` (2,290 files that differ from one clean file in one way each) and `survey_sample/` (99 real ones) of
github.com/HPI-Information-Systems/Pollock (commit c4533b2), each with what a loader should read from it. It is not part of this
repository: `git archive HEAD polluted_files survey_sample | tar x -C DIR`.
"""

from __future__ import annotations

import csv
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path

from sources.contract import ColumnSpec, Contract, FileSpec, TableSpec
from sources.readers.delivery import read_files
from sources.readers.result import ReadResult, SourceFile, count_rows_by_file

Row = tuple[str, ...]
SLOW = 10.0  # seconds
BAD = ("wrong", "silent", "lost", "failed", "slow", "raised")
MEMORY = 4 << 30  # bytes: what one file may take before it counts as failed


def contract_of(columns: Sequence[str]) -> Contract:
    """A contract that declares these columns as plain text, the first as the key."""
    names = list(dict.fromkeys(name or f"column {k}" for k, name in enumerate(columns, 1)))
    table = TableSpec("rows", tuple(ColumnSpec(name, key=name == names[0]) for name in names), entity="case", key=(names[0],))
    form = FileSpec("source.csv", "delimited", ("rows",), {"encoding": "utf-8", "delimiter": ",", "line_end": "\n"})
    return Contract("corpus", 1, {}, "quarterly", 15, "en", "clerk@example.org", (form,), {"rows": table})


def clean_rows(path: Path, strict: bool = True) -> list[Row]:
    """The rows of a clean twin, header first."""
    with path.open(encoding="utf-8", newline="") as file:
        return [tuple(row) for row in csv.reader(file, strict=strict)]


def same(one: Row, other: Row) -> bool:
    """Whether two rows say the same: an empty cell is none, space around a cell is none."""
    width = max(len(one), len(other))
    pad = [tuple(c.strip().replace("\r\n", "\n").replace("\r", "\n") for c in (*row, *[""] * (width - len(row)))) for row in (one, other)]
    return pad[0] == pad[1]


def plain(row: Sequence[str]) -> Row:
    """A row without space around its cells and without empty cells at its end."""
    cells = [c.strip().replace("\r\n", "\n").replace("\r", "\n") for c in row]
    while cells and not cells[-1]:
        cells.pop()
    return tuple(cells)


def unquoted(row: Sequence[str]) -> Row:
    """A row without quotes in its cells, of which Python's csv drops some where they stand stray."""
    return plain([c.replace('"', "") for c in row])


def judge(result: ReadResult, twin: list[Row], further: Iterable[Row]) -> tuple[str, str]:
    """`same`, `told`, `silent` or `wrong`, and for the latter two which rows. further: rows of the file that the twin leaves out."""
    frame = result.tables["rows"]
    order = [c for c in frame.columns if not c.startswith("_")]
    read = [tuple("" if v is None else v for v in row) for row in frame[order].astype(object).where(frame[order].notna(), None).to_numpy()]
    known, beside = set(map(plain, twin)), {unquoted(row) for row in further}
    wrong = [int(n) for n, row in zip(frame["_line"], read, strict=True) if plain(row) not in known and unquoted(row) not in beside]
    if wrong:
        return "wrong", f"{len(wrong)} rows: lines {wrong[:5]}"
    if len(read) == len(twin) and all(map(same, read, twin)):
        return "same", ""
    of_file = {f["rule"] for f in result.findings if f.get("line") is None or f["rule"].startswith("file-")}
    lines = {int(f["line"]) for f in result.findings if f.get("line") is not None}
    told = lines | {int(n) for n in result.unreadable["line"].dropna()} | {int(n) for n in result.structure["line"].dropna()}
    whole: set[str] = set()
    both = [[tuple(c.strip() for c in row) for row in rows] for rows in (read, twin)]
    at = list(frame["_line"])
    for kind, a1, a2, b1, b2 in SequenceMatcher(None, both[0], both[1], autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        first, last = int(at[a1 - 1]) if a1 else 0, int(at[a2]) if a2 < len(at) else sys.maxsize
        if not any(first <= n <= last for n in told):
            if not of_file:
                return "silent", f"rows {a1}:{a2} read, {b1}:{b2} of the twin"
            whole.add(f"{a1}:{a2} / {b1}:{b2}")
    return ("told of the file" if whole else "told of the line"), ", ".join(
        sorted(of_file if whole else {f["rule"] for f in result.findings})
    )


def main() -> int:
    """Judge every file; exit 1 where one differs in silence, stalls, fails or loses a row."""
    root = Path(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    counted: Counter[str] = Counter()
    for folder in ("polluted_files", "survey_sample"):
        for path in sorted((root / folder / "csv").iterdir()):
            verdict = _one(path, root / folder / "clean" / path.name)
            counted[f"{folder}: {verdict.partition(':')[0]}"] += 1
            if "-v" in sys.argv or verdict.startswith(BAD):
                print(path.name, verdict, flush=True)
    print(json.dumps(counted, indent=1, sort_keys=True))
    return int(any(name.split(": ")[1] in BAD and name != "survey_sample: wrong" for name in counted))


def _one(path: Path, twin: Path) -> str:
    try:
        clean = clean_rows(twin)
    except (csv.Error, UnicodeDecodeError):
        clean = []
    about = json.loads((path.parents[1] / "parameters" / f"{path.name}_parameters.json").read_text("utf-8"))
    columns = about.get("column_names") or [f"column {k}" for k in range(1, (about.get("n_columns") or 1) + 1)]
    declared = contract_of([str(c) for c in columns])
    form = replace(declared.files[0], options={"encoding": "utf-8", "delimiter": ",", "line_end": "\n"})
    begun = time.monotonic()
    try:
        result = read_files([SourceFile("source.csv", path)], replace(declared, files=(form,)))
    except BaseException as error:  # noqa: BLE001 - the point of it
        return f"raised: {type(error).__name__}"
    if time.monotonic() - begun > SLOW:
        return "slow"
    book = count_rows_by_file(result)
    if (book["rows_read"] != book["data"] + book["structural"] + book["unreadable"]).any():
        return "lost"
    if any(f["rule"] == "file-failed" for f in result.findings):
        return f"failed: {[f['detail'] for f in result.findings if f['rule'] == 'file-failed']}"
    if not len(result.tables["rows"]):
        return "aside" if len(result.unreadable) or len(result.structure) else "told" if result.findings else "silent"
    header = int(about.get("header_lines") or 0) > 0 and bool(clean)
    kind, where = judge(result, clean[1:] if header else clean, clean_rows(path, strict=False) if "multitable" in path.name else ())
    return f"{kind}: {where}"


if __name__ == "__main__":
    sys.exit(main())
