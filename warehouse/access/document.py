"""Write the access matrix as the page `docs/reference/access-matrix.md`.

Run `python -m warehouse.access.document` after a change of tables or roles.
Belongs here: the layout of the page. Does not belong here: roles and tables; how access is granted (`docs/reference/access.md`).
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Table

from warehouse import tables
from warehouse.access.grants import is_view, list_tables_with_row_security
from warehouse.access.matrix import ALL, NONE, ON_REQUEST, OWN, SCHEMAS, roles
from warehouse.analysts import PSEUDONYM, describe_replacement_for_analysts
from warehouse.stores import ANALYSTS, WAREHOUSE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "access-matrix.md"
ROW_LABELS = {ALL: "all rows", OWN: "own rows", ON_REQUEST: "by request", NONE: "–"}
_HEAD = """# Who may see what

Generated from `warehouse/access/roles.yaml` and `warehouse/tables.py` by `python -m warehouse.access.document`;
edit these files, not this page.
[Access](access.md) explains each term, and how access is enforced.
`institution` means one role for each institution. A role that may read a table reads all its columns, with one exception: an institution
does not read the columns in *italics*, which depend on records of other institutions. Columns in **bold** are record keys. In the schema
`analysts`, a column in **bold** is a keyed pseudonym, and a column in *italics* is coarser than in the warehouse, as the column's comment
describes. Only the owner of the tables can write; there is no role for the public.
"""


def make_rows_of_access_matrix() -> tuple[list[str], list[tuple[str, Table, list[str]]]]:
    """Return the columns and rows of the matrix.

    Columns: the names of the roles; those of institutions are combined to `institution`. Rows: schema, table, and for each role which rows
    of the table it sees.
    """
    by_name = {role.name if role.institution is None else "institution": role for role in roles()}
    rows = [
        (schema, table, [role.visible_rows(schema, table) for role in by_name.values()])
        for schema, metadata in SCHEMAS.items()
        for table in metadata.sorted_tables
    ]
    return list(by_name), rows


def render_access_matrix_page() -> str:
    """Return the page as Markdown."""
    names, rows = make_rows_of_access_matrix()
    row_secured = {table.name for table in list_tables_with_row_security()}
    lines = [_HEAD]
    for schema in SCHEMAS:
        lines += [f"## {schema}\n", f"| table | class | {' | '.join(names)} | columns |", "|---" * (len(names) + 3) + "|"]
        for _, table, visible in (row for row in rows if row[0] == schema):
            secured = schema == WAREHOUSE and table.name in row_secured
            protection = ", row security" if secured else ", secure view" if is_view(schema, table) else ""
            if schema == ANALYSTS:
                forms = {c.name: describe_replacement_for_analysts(table, c) for c in table.columns if table.info["altered"]}
                marks = {name: "**" if form == PSEUDONYM else "*" for name, form in forms.items() if form}
            else:
                linked = tables.find_columns_depending_on_linkage(table) if OWN in visible else set()
                marks = {**dict.fromkeys(linked, "*"), **dict.fromkeys(tables.key_columns(table), "**")}
            columns = ", ".join(f"{marks.get(c.name, '')}{c.name}{marks.get(c.name, '')}" for c in table.columns)
            cells = [
                f"{table.name}{protection if schema in (WAREHOUSE, ANALYSTS) else ''}",
                table.info["rows"],
                *(ROW_LABELS[label] for label in visible),
                columns,
            ]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(render_access_matrix_page(), "utf-8")
