"""Hooks of the documentation's site (`mkdocs.yml`): pages that lie outside `docs/`, and links that lead out of it.

README.md is the home page; CHANGELOG.md and deploy/README.md are pages too. A link to any other file of the repository becomes its path.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
OUTSIDE = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "deploy/README.md": "deploy.md"}
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s#:]+)(#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside `docs/`."""
    for source, page in OUTSIDE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


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
