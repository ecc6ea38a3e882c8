"""Does an institution's feedback depend on other institutions' data? Goal: never, without an agreement.

    python -m benchmarks feedback_isolation INBOX

Runs the inbox whole, then once for each institution with the others' folders empty, and compares what is handed over: findings, the words
of pages and letter, the cells of the workbook. Prints the deliveries compared and those that differ; exit 1 if any does.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

import openpyxl

from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from sources.contract import institutions

_CLOCK = re.compile(r"\d{1,2}[:.]\d\d(?::\d\d)?|[0-9a-f]{12,}")  # times of the run, ids drawn by it


def handed_over(inbox: Path, home: Path) -> dict[str, dict[str, object]]:
    """`<institution>/<delivery>` → the content of its files, without times."""
    place = Workplace.from_paths(inbox, home)
    run_everything(place, SilentListener())
    return {f"{f.parent.name}/{f.name}": _contents(f) for f in sorted(place.home.feedback.glob("*/*")) if (f / "findings.json").is_file()}


def _contents(folder: Path) -> dict[str, object]:
    found: dict[str, object] = {"findings": json.loads((folder / "findings.json").read_text("utf-8"))["findings"]}
    for page in sorted(folder.glob("*.html")):
        found[page.name] = _CLOCK.sub("", re.sub(r"<[^>]*>", " ", page.read_text("utf-8")))
    if (folder / "findings.xlsx").is_file():
        book = openpyxl.load_workbook(folder / "findings.xlsx", read_only=True)
        cells = [[str(cell) for row in sheet.iter_rows(values_only=True) for cell in row] for sheet in book.worksheets]
        found["workbook"] = [[_CLOCK.sub("", cell) for cell in sheet] for sheet in cells]
    return found


def main() -> int:
    """Compare every institution alone with all together."""
    inbox, compared, differ = Path(sys.argv[1]), 0, []
    with tempfile.TemporaryDirectory() as work:
        together = handed_over(inbox, Path(work) / "together")
        for name in institutions():
            alone = Path(work) / name
            for other in institutions():
                (alone / "inbox" / other).mkdir(parents=True)
            shutil.copytree(inbox / name, alone / "inbox" / name, dirs_exist_ok=True)
            for delivery, contents in handed_over(alone / "inbox", alone / "home").items():
                compared += 1
                other_contents = together[delivery]
                differ += [f"{delivery}: {part}" for part, told in contents.items() if told != other_contents.get(part)]
    print(f"{compared} deliveries compared with all others there and with none; {len(differ)} parts differ")
    print("\n".join(differ))
    return bool(differ)


if __name__ == "__main__":
    sys.exit(main())
