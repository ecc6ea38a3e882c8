"""`harmonia access …`, `audit …`, `warehouse …`: access rights, the audit log, comparison of the warehouse copies.

Belongs here: options and output. Does not belong here: what the commands do. Heavy modules are imported inside the commands.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harmonia.console import format_count, print_frame
from harmonia.errors import HarmoniaError
from harmonia.options import HomeFolder, RegistryUrl
from pipelines.resources.workplace import Workplace

if TYPE_CHECKING:
    import pandas as pd

access = typer.Typer(name="access", help="Access to the warehouse: roles, grants, extracts.", no_args_is_help=True)
audit = typer.Typer(name="audit", help="Audit log: who accessed names and numbers.", no_args_is_help=True)
warehouse = typer.Typer(name="warehouse", help="The published warehouse and its copies.", no_args_is_help=True)

Url = Annotated[str | None, typer.Option("--warehouse-url", envvar="HARMONIA_WAREHOUSE_URL", help="postgresql://user@host/database")]


def _require_warehouse_url(url: str | None) -> str:
    if not url:
        raise HarmoniaError("name the PostgreSQL warehouse with --warehouse-url (or HARMONIA_WAREHOUSE_URL)")
    return url


def _has_registry(workplace: Workplace) -> bool:
    return workplace.registry_url is not None or (workplace.home.root / "registry.sqlite").is_file()


def _print_rows(rows: pd.DataFrame, title: str) -> None:
    print_frame(rows, f"{title}: none", title)


@access.command("show")
def show_access_matrix(
    sql: Annotated[bool, typer.Option("--sql", envvar="HARMONIA_SQL", help="Print the SQL that creates the roles.")] = False,
) -> None:
    """Show the access matrix; with --sql, the statements with which a database administrator creates the roles."""
    import pandas as pd

    from warehouse.access import document, grants
    from warehouse.access.matrix import roles

    if sql:
        typer.echo(
            "".join(f"{statement};\n" for statement in grants.make_role_creation_statements({role.name for role in roles()})), nl=False
        )
        return
    names, lines = document.make_rows_of_access_matrix()
    rows = [(f"{schema}.{table.name}", *(document.ROW_LABELS[one] for one in cells)) for schema, table, cells in lines]
    _print_rows(pd.DataFrame(rows, columns=["table", *names]), "Who may see what")


@access.command("apply")
def apply_access_matrix(url: Url = None) -> None:
    """Create missing roles on the server and set the grants to those of the matrix. Idempotent."""
    from warehouse.server import access as server

    created, granted = server.apply_access_matrix_to_server(_require_warehouse_url(url))
    typer.echo(f"roles created: {', '.join(created) or 'none'}")
    typer.echo(
        f"grants in force: {granted}"
        if granted
        else "nothing is published there yet: `harmonia run --warehouse-url` publishes and sets the grants"
    )


@access.command("check")
def check_server_access(
    url: Url = None,
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
    administrator: Annotated[
        list[str] | None,
        typer.Option("--administrator", envvar="HARMONIA_ADMINISTRATOR", help="Login with administrator rights on the server; repeatable."),
    ] = None,
) -> None:
    """Compare the server with the declarations: grants, table definitions, other objects. Exit 1 if they differ.

    The registry stores the last entry seen of the request log, so that entries removed from its end are detected the next time.
    """
    from harmonia.audit import read_newest_checked_log_request, store_newest_checked_log_request
    from harmonia.registry import open_registry
    from warehouse.server import access as server

    workplace = Workplace.from_paths(None, home, registry_url)
    registry = open_registry(workplace.registry) if _has_registry(workplace) else None
    try:
        differences = server.find_differences_of_server(
            _require_warehouse_url(url), administrator or (), read_newest_checked_log_request(registry) if registry else None
        )
        if registry and not differences:
            store_newest_checked_log_request(registry, server.read_newest_request(_require_warehouse_url(url)))
    finally:
        if registry is not None:
            registry.close()
    for line in differences:
        typer.echo(line)
    if registry is None:
        typer.echo(
            f"no registry in {workplace.home.root}: entries removed from the end of the request log are not detected; name it with --home"
        )
    typer.echo(
        f"{format_count(len(differences), 'difference')} from the declarations" if differences else "the server matches the declarations"
    )
    raise typer.Exit(1 if differences else 0)


@access.command("extract")
def extract_tables(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="e.g. institution_police")],
    out: Annotated[Path, typer.Option("--out", envvar="HARMONIA_OUT", help="DuckDB file to write.")],
    home: HomeFolder = None,
) -> None:
    """Write the tables a role may see to a DuckDB file, for use without a server."""
    from warehouse.access import extract as module

    rows = module.write_visible_tables_to_file(Workplace.from_paths(None, home).home.root, module.find_role(role), out.expanduser())
    typer.echo(f"{out}: {format_count(len(rows), 'table')}, {format_count(sum(rows.values()), 'row')}, as visible to {role}")


@access.command("resolve")
def resolve_pseudonym(
    pseudonym: Annotated[str, typer.Argument(metavar="PSEUDONYM", help="As analysts see it in place of a record key.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Show the record behind a pseudonym (for stewards). The access is written to the audit log first."""
    from harmonia.audit import record_own_access
    from harmonia.registry import open_registry
    from warehouse.reading import open_publication

    workplace = Workplace.from_paths(None, home, registry_url)
    query = """SELECT DISTINCT institution || ':' || record_key AS record, entity, case_id AS "case", person_id AS person
               FROM crosswalk JOIN warehouse.lineage USING (institution, record_key) WHERE pseudonym = ? ORDER BY ALL"""
    with open_publication(workplace.home.root, "identity", "warehouse") as connection:
        registry = open_registry(workplace.registry)
        try:
            record_own_access(registry, "resolved a pseudonym", pseudonym)
        finally:
            registry.close()
        records = connection.execute(query, [pseudonym]).df()
    if records.empty:
        raise HarmoniaError(f"no record has the pseudonym {pseudonym}: it may be from before a change of key, or from another home")
    _print_rows(records, pseudonym)


@audit.command("list")
def list_accesses(
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
    url: Url = None,
    since: Annotated[datetime | None, typer.Option("--since", envvar="HARMONIA_SINCE", formats=["%Y-%m-%d"], help="First day.")] = None,
    who: Annotated[str | None, typer.Option("--who", envvar="HARMONIA_WHO", help="Only this user or login.")] = None,
) -> None:
    """List accesses to names and numbers (user, time, subject, reason): by Harmonia's commands and on the PostgreSQL warehouse."""
    from harmonia.audit import list_audit_entries
    from harmonia.registry import open_registry

    requests = None
    if url:
        from warehouse.server.access import read_request_log as read

        requests = read(url)
    workplace = Workplace.from_paths(None, home, registry_url)
    has_registry = _has_registry(workplace)
    if not has_registry and requests is None:
        raise HarmoniaError(f"{workplace.home.root} has no registry, and --warehouse-url is not set: name one of them")
    registry = open_registry(workplace.registry) if has_registry else None
    try:
        log_entries = list_audit_entries(registry, requests, since.date() if since else None, who)
    finally:
        if registry is not None:
            registry.close()
    log_entries["at"] = log_entries["at"].dt.strftime("%Y-%m-%d %H:%M:%S")
    _print_rows(log_entries, f"{format_count(len(log_entries), 'access', 'accesses')}; times in UTC")


@warehouse.command("compare")
def compare_warehouse_copies(
    home: HomeFolder = None,
    url: Url = None,
    store: Annotated[
        list[str] | None, typer.Option("--store", envvar="HARMONIA_STORE", help="warehouse, analysts, identity. Default: all.")
    ] = None,
) -> None:
    """Compare the DuckDB files with the PostgreSQL schemas, row by row. Exit 1 if a row differs, else 0."""
    from warehouse.compare import compare_stores as differing
    from warehouse.stores import STORES

    unknown = [name for name in store or () if name not in STORES]
    if unknown:
        raise HarmoniaError(f"unknown store {unknown[0]}: use one of {', '.join(STORES)}")
    differences = differing(Workplace.from_paths(None, home).home.root, _require_warehouse_url(url), store or tuple(STORES))
    _print_rows(differences, "Rows by table, and rows found on one side only")
    differ = int(differences[["only_duckdb", "only_postgresql"]].to_numpy().sum())
    typer.echo(f"{int(differences['rows'].sum())} rows compared, {differ} differ")
    raise typer.Exit(1 if differ else 0)
