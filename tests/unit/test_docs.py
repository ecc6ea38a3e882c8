"""Pages lie in the folder of their kind, and every link to a page and every mention of one leads to it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
KINDS = {"tutorial", "how-to", "reference", "explanation", "decisions"}
SINGLE = {"benchmarks.md"}
PAGES = sorted(DOCS.rglob("*.md"))
LINKING = [*PAGES, ROOT / "README.md", ROOT / "deploy" / "README.md"]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"^( *)```.*?^\1```", re.DOTALL | re.MULTILINE)
_MENTION = re.compile(r"docs/[\w./-]+\.(?:md|ipynb)\b")
_READ = {".md", ".py", ".yaml", ".yml", ".sql", ".toml", ".html", ".json", ".ipynb", ".conf", ".service", ""}


def _anchors(page: Path) -> set[str]:
    """Anchors of headings as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.+)$", _CODE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_every_page_lies_in_the_folder_of_its_kind() -> None:
    assert {path.name for path in DOCS.glob("*.md")} <= SINGLE
    assert {path.parent.relative_to(DOCS).parts[0] for path in PAGES if path.parent != DOCS} <= KINDS


@pytest.mark.parametrize("page", LINKING, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_page_and_a_heading(page: Path) -> None:
    dead = []
    for target in _LINK.findall(_CODE.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in _anchors(there)):
            dead.append(target)
    assert not dead


def test_every_page_that_code_mentions_is_there() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    files = [ROOT / name for name in tracked if name and Path(name).suffix in _READ and name != "CHANGELOG.md"]
    dead = {
        (path.relative_to(ROOT).as_posix(), page)
        for path in files
        if path.is_file()
        for page in _MENTION.findall(path.read_text("utf-8", errors="ignore"))
        if not (ROOT / page).exists()
    }
    assert not dead


def test_the_page_of_the_contract_is_current() -> None:
    from sources import contract_doc

    assert contract_doc.PAGE.read_text("utf-8") == contract_doc.render_page(), "run: python -m sources.contract_doc"
