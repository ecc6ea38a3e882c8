"""Generates the page `docs/reference/contract.md`, which lists the keys of a contract, from the classes and comments of
`sources/contract.py`.

Run `python -m sources.contract_doc` after a change. Belongs here: only the layout of the page. Does not belong here: the meaning of a key,
which is in a comment beside the key in its class.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from sources import contract

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "contract.md"
_CLASSES = {
    "Contract": "The file",
    "FileSpec": "`files`: an entry",
    "TableSpec": "`tables`: an entry, by the name of the table",
    "ColumnSpec": "`columns` of a table: an entry, by the delivered name",
    "Crosswalk": "`crosswalk` of a table",
    "CountsSpec": "`counts` of a table",
    "UnitsSpec": "`units`",
    "PersonReconciliationStep": "`shared_persons`: an entry",
}
_HEAD = """# Contract of an institution

Generated from `sources/contract.py` by `python -m sources.contract_doc`; edit that file, not this page.

This page lists the keys of `sources/<institution>/contract.yaml`. If a contract contains any other key, it is refused when it is loaded,
with one line that names file, key and what to do. [Add an institution](../how-to/add-an-institution.md) describes how to write a contract.
"""
_LEFT_OUT = "name"  # left out for tables and columns, since it is the key of the entry


def render_page() -> str:
    """Return the page as Markdown."""
    text = Path(contract.__file__).read_text("utf-8")
    lines = text.splitlines()
    classes = {node.name: node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)}
    parts = [_HEAD]
    for name, title in _CLASSES.items():
        parts.append(f"## {title}\n")
        parts.append("| key | type | default | meaning |\n|---|---|---|---|")
        parts += [
            f"| `{key}` | {_table_cell(kind)} | {_table_cell(default)} | {meaning} |"
            for key, kind, default, meaning in _describe_keys(classes[name], lines)
        ]
        parts.append("")
    types = "\n".join(f"| `{kind}` | {comment} |" for kind, comment in _describe_types(lines))
    return "\n".join(parts) + f"\n## Types of columns\n\n| type | cell |\n|---|---|\n{types}\n"


def _describe_keys(node: ast.ClassDef, lines: list[str]) -> Iterator[tuple[str, str, str, str]]:
    """Yield the key, type, default and comment of each field of a class. The default is empty if the key is required.

    The comment is at the end of the field's line, or in the lines above it.
    """
    for entry in node.body:
        if not isinstance(entry, ast.AnnAssign) or not isinstance(entry.target, ast.Name) or "ClassVar" in ast.unparse(entry.annotation):
            continue
        if entry.target.id == _LEFT_OUT and node.name in ("TableSpec", "ColumnSpec"):
            continue
        assert entry.end_lineno is not None
        trailing = re.sub(r"^.*?#", "", lines[entry.end_lineno - 1]) if "#" in lines[entry.end_lineno - 1] else ""
        above: list[str] = []
        line_number = entry.lineno - 2
        while lines[line_number].strip().startswith("#"):
            above.insert(0, lines[line_number].strip().lstrip("# "))
            line_number -= 1
        default = ast.unparse(entry.value) if entry.value else ""
        default = re.sub(r"field\(default_factory=\w+\)|\(\)|None", "none", default)
        comment = " ".join([*above, trailing.strip()]).strip().replace("|", r"\|")
        yield entry.target.id, ast.unparse(entry.annotation), default, comment


def _table_cell(text: str) -> str:
    plain = text.replace("|", r"\|")
    return f"`{plain}`" if plain else "required"


def _describe_types(lines: list[str]) -> Iterator[tuple[str, str]]:
    first = lines.index("TYPES = (")
    for line in lines[first + 1 : lines.index(")", first)]:
        kind, _, comment = line.strip().partition(",")
        yield kind.strip('"'), comment.replace("#", "").strip() or "as it says"


if __name__ == "__main__":
    PAGE.write_text(render_page(), encoding="utf-8")
