"""The commands `harmonia portal` and `harmonia invite`. What they do is imported when they are called, since Django takes a second to
load."""

from __future__ import annotations

from typing import Annotated

import typer

from harmonia.console import make_console
from harmonia.options import HomeFolder, Inbox, RegistryUrl, WarehouseUrl
from pipelines.resources.workplace import Workplace

Port = Annotated[int, typer.Option("--port", envvar="HARMONIA_PORT", min=1, max=65535, help="Port on this machine.")]


def portal(
    inbox: Inbox = None,
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
    warehouse_url: WarehouseUrl = None,
    port: Port = 8300,
    demo: Annotated[
        bool, typer.Option("--demo", envvar="HARMONIA_DEMO", help="Offer one ready sign-in for each role; only over simulated deliveries.")
    ] = False,
) -> None:
    """Serve the portal for institutions, stewards, coordinator and engineers, on this machine only (127.0.0.1)."""
    workplace = Workplace.from_paths(inbox, home, registry_url, warehouse_url).prepare_folders()
    from portal.serve import serve

    serve(make_console(), workplace, port, demo)


def invite(
    email: Annotated[str, typer.Argument(metavar="E-MAIL", help="E-mail address: the name of the account.")],
    roles: Annotated[
        list[str],
        typer.Option("--role", envvar="HARMONIA_ROLE", help="clerk, head, steward, coordinator, analyst, engineer or administrator."),
    ],
    name: Annotated[str, typer.Option("--name", envvar="HARMONIA_NAME", help="Name as others see it.")],
    institution: Annotated[str, typer.Option("--institution", envvar="HARMONIA_INSTITUTION", help="Of a clerk or head.")] = "",
    system_user: Annotated[
        str,
        typer.Option("--system-user", envvar="HARMONIA_SYSTEM_USER", help="User of this machine that the account has for commands."),
    ] = "",
    inbox: Inbox = None,
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Create an account of the portal and print the link by which its owner sets a password. The first administrator is invited so."""
    from portal.serve import prepare_django

    prepare_django(Workplace.from_paths(inbox, home, registry_url).prepare_folders(), demo=False)
    from portal.accounts.invitations import invite_account

    make_console(markup=False).print(invite_account(email, name, roles, institution, system_user=system_user), soft_wrap=True)
