"""The shipped proxy before Dagster's real pages: without sign-on nothing passes, readers start nothing, engineers do."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import pytest
import requests
from proxy_world import Proxied, proxied

pytestmark = pytest.mark.slow  # two web servers of Dagster's
ENGINEERS, READERS = "harmonia-engineers", "harmonia-readers"
QUESTION = {"query": "{ version }"}
CHANGE = {"query": "mutation { setNuxSeen }"}
LAUNCH = {"query": 'mutation { terminateRun(runId: "none") { __typename } }'}
PATHS = [
    "/",
    "/graphql",
    "/server_info",
    "/runs",
    "/view",
    "/view/graphql",
    "/logs/x/y",
    "/report_asset_materialization/a",
    "/notebook?path=x",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    folder = tmp_path_factory.mktemp("proxy")
    folder.chmod(0o755)
    with proxied(folder) as one:
        yield one


def asked(session: requests.Session, url: str, said: dict[str, str], **headers: str) -> requests.Response:
    return session.post(url, json=said, headers=headers, timeout=60, allow_redirects=False)


def upgraded(place: Proxied, path: str, session: requests.Session) -> int:
    """The status that a request for a web socket gets."""
    cookies = "; ".join(f"{name}={value}" for name, value in session.cookies.items())
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: localhost:{place.port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
    ]
    lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: graphql-ws", f"Cookie: {cookies}", "", ""]
    trusted = ssl.create_default_context(cafile=str(place.certificate))
    with (
        socket.create_connection(("localhost", place.port), 60) as raw,
        trusted.wrap_socket(raw, server_hostname="localhost") as connection,
    ):
        connection.sendall("\r\n".join(lines).encode())
        return int(connection.recv(64).split()[1])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"])
def test_without_sign_on_nothing_passes(place: Proxied, path: str, method: str) -> None:
    answer = place.anybody().request(method, f"{place.url}{path}", json=QUESTION, timeout=60, allow_redirects=False)
    sent = answer.status_code == 302 and answer.headers["Location"].startswith(f"{place.sign_on.issuer}/authorize")
    assert sent or answer.status_code in (401, 403)
    assert "dagster" not in answer.text.lower()


@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": "mod_auth_openidc_session=00000000-0000-0000-0000-000000000000"},
        {"OIDC_CLAIM_groups": ENGINEERS, "X-Remote-User": "somebody", "X-Forwarded-User": "somebody"},
        {"Authorization": "Bearer x"},
        {"Authorization": "Basic c29tZWJvZHk6eA=="},
        {"X-Requested-With": "XMLHttpRequest"},
        {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"},
    ],
    ids=lambda headers: "+".join(headers),
)
def test_nobody_makes_themselves_somebody(place: Proxied, headers: dict[str, str]) -> None:
    answer = asked(place.anybody(), f"{place.url}/graphql", QUESTION, **headers)
    assert answer.status_code in (302, 401)
    assert "version" not in answer.text


def test_no_web_socket_is_opened_without_sign_on(place: Proxied) -> None:
    assert upgraded(place, "/graphql", place.anybody()) in (302, 401)
    assert upgraded(place, "/graphql", place.member(READERS)) in (401, 403)
    assert upgraded(place, "/graphql", place.member(ENGINEERS)) == 101


def test_who_signed_on_without_either_group_sees_nothing(place: Proxied) -> None:
    other = place.member("another-house")
    for path in PATHS:
        assert other.get(f"{place.url}{path}", timeout=60, allow_redirects=False).status_code in (401, 403)


def test_engineers_see_and_change(place: Proxied) -> None:
    engineer = place.member(ENGINEERS)
    assert "Dagster" in engineer.get(f"{place.url}/", timeout=60).text
    assert asked(engineer, f"{place.url}/graphql", QUESTION).json()["data"]["version"]
    assert asked(engineer, f"{place.url}/graphql", LAUNCH).json()["data"]["terminateRun"]["__typename"] == "RunNotFoundError"


def test_readers_see_and_change_nothing(place: Proxied) -> None:
    reader = place.member(READERS)
    assert "Dagster" in reader.get(f"{place.url}/view/", timeout=60).text
    assert asked(reader, f"{place.url}/view/graphql", QUESTION).json()["data"]["version"]
    refused = asked(reader, f"{place.url}/view/graphql", LAUNCH).json()["data"]["terminateRun"]["__typename"]
    assert refused == "UnauthorizedError"


@pytest.mark.parametrize(
    "path",
    [
        "/graphql",
        "/view/../graphql",
        "/view/%2e%2e/graphql",
        "/view/..%2fgraphql",
        "//graphql",
        "/VIEW/graphql",
        "/view;/../graphql",
        "/viewer",
    ],
)
def test_readers_do_not_come_from_view_to_the_rest(place: Proxied, path: str) -> None:
    reader = place.member(READERS)
    session_cookie = "; ".join(f"{name}={value}" for name, value in reader.cookies.items())
    body = b'{"query": "{ version }"}'
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {session_cookie}\r\nContent-Type: application/json\r\n"
    trusted = ssl.create_default_context(cafile=str(place.certificate))
    with (
        socket.create_connection(("localhost", place.port), 60) as raw,
        trusted.wrap_socket(raw, server_hostname="localhost") as connection,
    ):
        connection.sendall(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        said = b"".join(iter(lambda: connection.recv(65536), b""))
    assert int(said.split()[1]) in (400, 401, 403, 404)
    assert b'"version"' not in said


def test_a_page_of_another_house_makes_no_browser_change_anything(place: Proxied) -> None:
    engineer = place.member(ENGINEERS)
    assert asked(engineer, f"{place.url}/graphql", LAUNCH, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert asked(engineer, f"{place.url}/graphql", LAUNCH, **{"Sec-Fetch-Site": "same-origin"}).status_code == 200
    cookie = next(one for one in engineer.cookies if one.name == "mod_auth_openidc_session")
    assert cookie.secure
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") in ("Lax", "Strict")


@pytest.mark.parametrize(
    "path",
    [
        "/graphql?query=mutation%7BsetNuxSeen%7D",
        "/graphql?%71uery=mutation%7BsetNuxSeen%7D",
        "/graphql/?query=%7Bversion%7D",
        "//graphql?query=%7Bversion%7D",
        "/%67raphql?query=%7Bversion%7D",
        "/view/graphql?query=%7Bversion%7D",
        "/GraphQL?query=%7Bversion%7D",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_nothing_is_executed_by_a_link(place: Proxied, path: str, method: str) -> None:
    """Dagster itself executes mutations by GET; a link in a mail would do."""
    engineer = place.member(ENGINEERS)
    for headers in ({}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}):
        answer = engineer.request(method, f"{place.url}{path}", headers=headers, timeout=60, allow_redirects=False)
        assert answer.status_code in (403, 404)
        assert "setNuxSeen" not in answer.text


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_may_link_to_a_page_and_nothing_more(place: Proxied, site: str) -> None:
    engineer = place.member(ENGINEERS)
    link = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert engineer.get(f"{place.url}/runs", headers=link, timeout=60).status_code == 200
    for mode, dest in (("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe"), ("websocket", "websocket")):
        other = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
        assert engineer.get(f"{place.url}/server_info", headers=other, timeout=60).status_code == 403
    form = {**link, "Content-Type": "application/x-www-form-urlencoded"}
    posted = engineer.post(f"{place.url}/graphql", data={"query": "{ version }"}, headers=form, timeout=60, allow_redirects=False)
    assert posted.status_code == 403


def test_a_request_too_large_is_refused(place: Proxied) -> None:
    engineer = place.member(ENGINEERS)
    long = {"query": "{ version } #" + "x" * 2_000_000}
    answer = engineer.post(f"{place.url}/graphql", json=long, timeout=60)
    assert (answer.status_code, "version" in answer.text) == (403, False)
    chunks = engineer.post(
        f"{place.url}/graphql", data=iter([b'{"query": "{ version }"}']), headers={"Content-Type": "application/json"}, timeout=60
    )
    assert chunks.status_code == 403
    assert engineer.get(f"{place.url}/", headers={"X-Much": "x" * 20_000}, timeout=60).status_code == 400


def test_dagsters_pages_answer_on_this_machine_alone(place: Proxied) -> None:
    outer = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for address in outer:
        for port in (place.pages, place.view):
            with socket.socket() as one:
                one.settimeout(2)
                assert one.connect_ex((str(address), port)) != 0
