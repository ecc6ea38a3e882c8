"""One server of each version for the tests of access: published, roles made, a login for every role and one without any."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from postgres_world import running
from security_world import DATABASE, NOBODY, ROWS, Published
from store_world import made

from warehouse import postgres
from warehouse.access.matrix import roles
from warehouse.server import access as access


@pytest.fixture(
    scope="session", params=[pytest.param(15, marks=pytest.mark.slow, id="PostgreSQL 15"), pytest.param(18, id="PostgreSQL 18")]
)
def justice(request: pytest.FixtureRequest) -> Iterator[Published]:
    with running(request.param) as server:
        url = server.new_database(DATABASE)
        access.apply_access_matrix_to_server(url)
        stores = made("one", ROWS)
        with postgres.prepare_publication(url, stores) as commit:
            commit()
        for role in roles():
            server.login(f"login_{role.name}", role.name)
        server.login(f"login_{NOBODY}")
        yield Published(server, stores)
