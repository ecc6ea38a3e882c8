"""Starts the portal: environment, database tables, web server.

Belongs here: refusing `--demo` for real deliveries. Does not belong here: pages.
"""

from __future__ import annotations

import os
import socket
import tempfile

from rich.console import Console

from harmonia.errors import HarmoniaError
from pipelines.resources.workplace import Workplace

HOST = "127.0.0.1"
_THREADS = 8
_CHANNEL_TIMEOUT = 60  # seconds without a byte after which a connection ends
_MAX_CONNECTIONS = 1_000  # a slow connection takes a file descriptor, but no thread


def prepare_django(workplace: Workplace, demo: bool) -> None:
    """Configure Django for the workplace, and create or update its tables.

    Raises `HarmoniaError` if `demo` is set and the home contains deliveries that were not simulated.
    """
    os.umask(0o077)
    os.environ.update(workplace.make_environment_variables())
    os.environ["HARMONIA_DEMO"] = "1" if demo else ""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    from portal.accounts import demonstration
    from portal.institution.uploads import finish_interrupted_submissions

    if demo:
        demonstration.enable_demo_accounts()
    else:
        demonstration.disable_demo_accounts()
    if workplace.inbox.is_dir():
        finish_interrupted_submissions()


def serve(console: Console, workplace: Workplace, port: int, demo: bool) -> None:
    """Serve the portal on this machine only, until interrupted. Raises `HarmoniaError` if the port is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise HarmoniaError(f"port {port} is in use: close what uses it, or name another with --port (or HARMONIA_PORT)") from None
    prepare_django(workplace, demo)
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from waitress import create_server

    from portal.body_limit import Channel

    tempfile.tempdir = settings.FILE_UPLOAD_TEMP_DIR  # an incoming request is stored there, not in /tmp
    trusted = {"trusted_proxy": HOST, "trusted_proxy_headers": "x-forwarded-proto x-forwarded-for"} if settings.ORIGIN else {}
    server = create_server(
        get_wsgi_application(),
        host=HOST,
        port=port,
        threads=_THREADS,
        ident=None,
        channel_timeout=_CHANNEL_TIMEOUT,
        connection_limit=_MAX_CONNECTIONS,
        asyncore_use_poll=True,  # select() is limited to 1,024 descriptors
        max_request_body_size=settings.UPLOAD_BYTES + (1 << 20),
        clear_untrusted_proxy_headers=True,
        **trusted,
    )
    server.channel_class = Channel
    console.print(f"The portal for {workplace.home.root} is at [bold]http://{HOST}:{port}[/]. Press Ctrl-C to stop.", soft_wrap=True)
    if demo:
        console.print("One sign-in for each role is offered on its first page, since all of its data are simulated.")
    server.run()
