"""Hooks of the documentation's site (`mkdocs.yml`): pages that lie outside `docs/`, links that lead out of it, the reference of commands.

README.md is the home page; CHANGELOG.md and deploy/README.md are pages too. A link to any other file of the repository becomes its path.
The reference of commands is what `harmonia --help` says of each command, in one page.
"""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
OUTSIDE = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "deploy/README.md": "deploy.md"}
COMMANDS = "reference/commands.md"
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s#:]+)(#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside `docs/`, and the reference of commands."""
    for source, page in OUTSIDE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    files.append(File.generated(config, COMMANDS, content=commands()))
    return files


def commands() -> str:
    """The reference of commands, by Typer from the program itself."""
    call = [sys.executable, "-m", "typer", "harmonia.cli.main", "utils", "docs", "--name", "harmonia", "--title", "Commands"]
    return html.unescape(subprocess.run(call, cwd=ROOT, check=True, capture_output=True, text=True).stdout)  # noqa: S603 - no input of others


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite links to and from pages that lie outside `docs/`."""
    source = {name: path for path, name in OUTSIDE.items()}.get(page.file.src_uri)
    folder = (ROOT / source if source else DOCS / page.file.src_uri).parent
    here = Path(page.file.src_uri).parent

    def rewritten(found: re.Match[str]) -> str:
        text, target, anchor = found[1], found[2], found[3] or ""
        there = (folder / target).resolve()
        if not there.exists():
            return found[0]  # MkDocs warns
        path = there.relative_to(ROOT).as_posix()
        if path in OUTSIDE:
            return f"[{text}]({os.path.relpath(OUTSIDE[path], here)}{anchor})"
        if there.is_file() and there.is_relative_to(DOCS):
            return f"[{text}]({os.path.relpath(there.relative_to(DOCS), here)}{anchor})"
        return text if text.strip("`/") in path else f"{text} (`{path}`)"

    return _LINK.sub(rewritten, markdown)
