"""What publishing code may reach: a release's public part, and nothing else. Checked on the syntax tree, so that nothing need run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PUBLISHING = ("warehouse/exports", "harmonia/reports", "harmonia/explorer")
MAY_IMPORT = (
    "warehouse.releases.reading",
    "warehouse.releases.labels",
    "warehouse.indicators",
    "warehouse.exports",
    "harmonia.reports",
    "harmonia.explorer",
    "harmonia.errors",
    "harmonia.atomic_files",
    "harmonia.home",
    "pipelines.resources.workplace",
    "sources.periods",
    "schemas",
    "sources.contract",  # what institutions declare: names, no data
    "sources.completeness_states",  # the names of the four states; opens nothing
)
WITH_APPROVAL = ("warehouse.releases.confidential", "warehouse.disclosure.signature", "harmonia.registry", "harmonia.audit")
"""Also for modules called `transmission…` and `own_figures…`: full figures to a named recipient, or an institution's own."""
OURS = ("harmonia", "pipelines", "warehouse", "schemas", "sources")
NEVER = ("duckdb", "sqlalchemy", "psycopg", "sqlite3", "pyarrow.parquet.read_table")
FORBIDDEN_NAMES = {"read_parquet", "read_table", "ParquetFile", "ParquetDataset", "read_sql", "read_sql_query", "connect"}
PLACES = {"warehouse", "analysts", "identity", "lake", "landing", "registry_url", "warehouse_url", "feedback"}
WORDS = (".duckdb", "confidential/", "registry.sqlite", "importlib.import_module")


def broken(path: str, text: str) -> list[str]:
    """What a module of a publishing package reaches that it may not. path: relative to the repository."""
    approved = Path(path).stem.startswith(("transmission", "own_figures"))
    may = MAY_IMPORT + (WITH_APPROVAL if approved else ())
    tree = ast.parse(text)
    out = [f"imports {name}" for name in imports(tree) if not allowed(name, may)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in FORBIDDEN_NAMES:
            out.append(f"calls {node.attr}")
        if isinstance(node, ast.Attribute) and node.attr in PLACES and _home(node.value):
            out.append(f"opens home.{node.attr}")
        if isinstance(node, ast.Name) and node.id in {"__import__", "eval", "exec"}:
            out.append(f"uses {node.id}")
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not approved and "\n" not in node.value:
            out += [f"names {word}" for word in WORDS if word in node.value]
    return out


def _home(node: ast.expr) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr == "home") or (
        isinstance(node, ast.Name) and node.id in {"home", "workplace", "place"}
    )


def imports(tree: ast.Module) -> Iterator[str]:
    """Every module, and name of a module, that is imported anywhere in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def allowed(name: str, may: tuple[str, ...]) -> bool:
    """Whether an import is of the public part, of what belongs to publishing, or of a library that opens no store."""
    if name.split(".")[0] not in OURS:
        return not any(name == never or name.startswith(f"{never}.") for never in NEVER)
    return any(name == one or name.startswith(f"{one}.") for one in may)
