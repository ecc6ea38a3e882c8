"""Are police deliveries in other code pages read correctly, or reported? Goal: none misread without a finding.

    python -m benchmarks corpora_code_pages INBOX...

Each INBOX contains police deliveries in windows-1250. Both files of a delivery, whole and cut to their first 30 and 5 lines, are
rewritten in each code page that has their letters, and in windows-1250 read as Latin-1, then read as a delivery. The oracle is Python's
own codec.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from sources.readers.result import SourceFile
from sources.reading import read_delivery

AGREED = "windows-1250"
PAGES: dict[str, Callable[[str], bytes]] = {
    page: (lambda text, page=page: text.encode(page))  # type: ignore[misc]
    for page in (AGREED, "cp852", "iso-8859-2", "mac-croatian", "mac-roman", "mac-latin2", "windows-1252")
} | {"windows-1250 as Latin-1": lambda text: text.encode(AGREED).decode("latin-1").encode("utf-8")}
LINES = (None, 30, 5)


def texts(folder: Path, lines: int | None) -> dict[str, str] | None:
    """The files of a delivery as text; None where it is not in windows-1250."""
    out = {}
    for path in folder.glob("*.csv"):
        data = path.read_bytes()
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            if not data.isascii():
                return None
        try:
            out[path.name] = "".join(data.decode(AGREED).splitlines(keepends=True)[:lines])
        except UnicodeDecodeError:
            return None
    return out


def cells(text: str) -> list[list[str]]:
    """The rows below the header as Python's csv module reads them."""
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
    return [[c.replace("\r\n", "\n") for c in row] for row in rows[1:] if len(row) == len(rows[0])]


def judge(files: dict[str, str], write: Callable[[str], bytes]) -> str:
    """`right`, `told` (a cell is otherwise, and its file has a finding on the encoding), `silent`, `-` where the page lacks letters."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            try:
                Path(folder, name).write_bytes(write(text))
            except UnicodeEncodeError:
                return "-"
        result = read_delivery("police", [SourceFile(p.name, p) for p in sorted(Path(folder).iterdir())])
    worst = "right"
    for name, text in files.items():
        read = {c for table in result.tables.values() for column in table if not column.startswith("_") for c in table[column].dropna()}
        read = {c.replace("\r\n", "\n") for c in read}
        if any(c and not c.isascii() and c not in read for row in cells(text) for c in row):
            told = any(f["file"] == name and "enc" in f["rule"] + "misread" * ("misread" in f["rule"]) for f in result.findings)
            worst = "silent" if not told or worst == "silent" else "told"
    return worst


def main() -> int:
    """Counts by page and length; exit 1 where something was read otherwise in silence."""
    counted: Counter[str] = Counter()
    for inbox in sys.argv[1:]:
        for folder in sorted((Path(inbox) / "police").iterdir()):
            for lines in LINES:
                files = texts(folder, lines)
                for page, write in PAGES.items() if files else ():
                    verdict = judge(files or {}, write)
                    counted[f"{page}, {lines or 'all'} lines: {verdict}"] += 1
                    if verdict == "silent" or ("-v" in sys.argv and verdict == "told"):
                        print(folder, page, lines, verdict, flush=True)
    print(json.dumps(counted, indent=1, sort_keys=True))
    return int(any(name.endswith("silent") for name in counted))


if __name__ == "__main__":
    sys.exit(main())
