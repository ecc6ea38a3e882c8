"""Workbooks of apache/poi and of calamine through the reader of workbooks: crashes, stalls, memory, rows lost (goal: none).

    benchmarks/corpora_workbooks.py DIR...

Each DIR holds workbooks; the corpora are `test-data/spreadsheet` of github.com/apache/poi (commit a528d43: 812 files in every old and
new form, encrypted, damaged, made to attack) and `tests` of github.com/tafia/calamine (commit 263762c). They are not part of this
repository. Each file is read as the inspectorate's and as the correctional service's delivery, in a process that may take 2 GiB and 60 s.

The oracle: the sheets as openpyxl reads them by itself. Every row that it finds filled must be accounted for: read, structural, or set
aside with its bytes; where openpyxl reads a file and the reader says that nothing can be read, that must be said as an error.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import openpyxl

from sources.readers.result import SourceFile, accounting
from sources.reading import read_delivery

FORMS = {"inspectorate": "raporti.xlsx", "corrections": "shkk.xlsx"}
SUFFIXES = {".xlsx", ".xlsm", ".xltx", ".xls", ".xlsb", ".ods", ".bin", ".xml"}
MEMORY, SECONDS = 2 << 30, 60
MOST_CELLS = 50_000_000
BAD = ("lost", "failed", "slow", "raised", "died", "silent")


def filled(path: Path) -> int | None:
    """Rows with a value, over all sheets, as openpyxl reads them; None where it cannot, or not in a minute."""
    try:
        with warnings.catch_warnings(action="ignore"):
            book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
            if any((sheet.max_row or 0) * (sheet.max_column or 0) > MOST_CELLS for sheet in book.worksheets):
                return None  # openpyxl would walk through every one of them
            return sum(
                any(v is not None and str(v).strip() for v in row) for sheet in book.worksheets for row in sheet.iter_rows(values_only=True)
            )
    except BaseException:  # noqa: BLE001 - whatever it trips over
        return None


def verdicts(path: str) -> dict[str, str]:
    """What became of one file, by institution."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    there = filled(Path(path)) if Path(path).suffix.lower() in (".xlsx", ".xlsm", ".xltx") else None
    return {institution: _verdict(path, institution, there) for institution in FORMS}


def _verdict(path: str, institution: str, there: int | None) -> str:
    begun = time.monotonic()
    try:
        result = read_delivery(institution, [SourceFile(FORMS[institution], Path(path))])
    except BaseException as error:  # noqa: BLE001 - the point of it
        return f"raised {type(error).__name__}"
    seconds = time.monotonic() - begun
    book = accounting(result)
    if (book["rows_read"] != book["data"] + book["structural"] + book["unreadable"]).any():
        return "lost"
    failed = [f["detail"] for f in result.findings if f["rule"] == "file-failed"]
    if failed:
        return f"failed {failed}"
    state = result.files[FORMS[institution]]
    if not result.findings:
        return "silent: nothing is said of a file that is none of this institution"
    looked = state != "unreadable" or "file-header-not-found" in {f["rule"] for f in result.findings}
    if there and looked and int(book["rows_read"].sum()) < there:
        return f"lost {there - int(book['rows_read'].sum())} of {there} rows"
    return f"{state} in {'time' if seconds < SECONDS else 'slow'}"


def main() -> int:
    """Judge every file; exit 1 where one is bad."""
    counted: Counter[str] = Counter()
    paths = [p for folder in sys.argv[1:] for p in sorted(Path(folder).rglob("*")) if p.is_file() and p.suffix.lower() in SUFFIXES]
    pool = multiprocessing.Pool(1)
    for path in paths:
        try:
            said = pool.apply_async(verdicts, (str(path),)).get(SECONDS + 30)
        except multiprocessing.TimeoutError:  # stalls, or the process died
            pool.terminate()
            pool = multiprocessing.Pool(1)
            said = {"both": "died or stalls"}
        for institution, told in said.items():
            counted[" ".join(told.split()[:3])] += 1
            if told.startswith(BAD) or told.endswith("slow") or "-v" in sys.argv:
                print(path.name, institution, told, flush=True)
    pool.terminate()
    print(json.dumps(counted, indent=1, sort_keys=True))
    return int(any(name.startswith(BAD) or name.endswith("slow") for name in counted))


if __name__ == "__main__":
    sys.exit(main())
