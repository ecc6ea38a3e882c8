"""The running portal under attack: bombs, a hundred uploads at once, slow and broken-off uploads. It answers everybody else meanwhile."""

from __future__ import annotations

import io
import json
import re
import socket
import threading
import time
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from portal_world import Guest, Served

pytestmark = pytest.mark.slow
GIB = 1 << 30


def zip_bomb() -> bytes:
    """Some 2 GiB of zeros in 2 MiB."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bomb, bomb.open("rastet.csv", "w", force_zip64=True) as file:
        for _ in range(2_048):
            file.write(bytes(1 << 20))
    return out.getvalue()


def workbook_bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("[Content_Types].xml", "<Types/>")
        with bomb.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as file:
            for _ in range(1_024):
                file.write(b"0" * (1 << 20))
    return out.getvalue()


def xml_bomb() -> bytes:
    entities = '<!ENTITY l0 "ha">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    return f"<!DOCTYPE eksporti [{entities}]><eksporti>&l11;</eksporti>".encode()


def checked(guest: Guest, there: str) -> str:
    """The page of an upload once its check has ended."""
    for _ in range(600):
        text = str(guest.get(there).text)
        if 'id="running"' not in text:
            return text
        time.sleep(0.3)
    raise AssertionError("the check did not end")


def sent(guest: Guest, institution: str, files: dict[str, bytes]) -> Any:
    parts = [("files", (name, content)) for name, content in files.items()]
    return guest.post(f"/{institution}/new", {"period": "2013-Q4"}, files=parts, allow_redirects=False)


def memory(served: Served) -> int:
    """Bytes of the portal's own process at their most."""
    status = Path(f"/proc/{served.process.pid}/status").read_text("ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) << 10


@pytest.mark.parametrize("institution", ["police", "courts"])
def test_bombs_are_findings_and_stop_nobody(served: Served, institution: str) -> None:
    guest = Guest(served.url).demo("clerk", institution)
    other = Guest(served.url).demo("engineer")
    files = {"bomb.zip": zip_bomb(), "bomb.xlsx": workbook_bomb(), "bomb.xml": xml_bomb(), "rastet.csv": zip_bomb()}
    page = sent(guest, institution, files)
    assert page.status_code == 302
    assert other.get("/account").status_code == 200
    text = checked(guest, page.headers["Location"])
    assert "notice error" in text or 'class="finding' in text, "one clear line, or findings"
    assert memory(served) < GIB
    token = page.headers["Location"].rsplit("/", 1)[1]
    assert guest.post(f"/{institution}/uploads/{token}/discard").status_code == 200
    assert not (served.place.inbox / ".incoming" / token).exists()


def test_a_workbook_that_is_a_bomb_is_refused_in_one_line(served: Served) -> None:
    guest = Guest(served.url).demo("clerk", "police", "sr")
    for content in (workbook_bomb(), zip_bomb(), xml_bomb(), b"PK\x03\x04" + bytes(100)):
        page = guest.post("/police/deliveries/2013-Q1/answered", files={"workbook": ("findings.xlsx", content)})
        assert page.status_code == 422 and page.text.count('class="notice error"') == 1
        assert "nije radna sveska" in page.text or "tuđ" in page.text
    assert memory(served) < GIB


def test_a_hundred_uploads_at_once_are_each_taken_whole_or_refused_in_one_line(served: Served) -> None:
    source = {path.name: path.read_bytes() for path in sorted((served.later / "prosecution" / "2013-Q4").iterdir())}
    guest, head = Guest(served.url).demo("clerk", "prosecution"), Guest(served.url).demo("head", "prosecution")
    waiting = threading.Event()
    answered: list[int] = []

    def others_go_on() -> None:
        while not waiting.is_set():
            answered.append(head.get("/prosecution").status_code)

    watcher = threading.Thread(target=others_go_on)
    watcher.start()
    with ThreadPoolExecutor(100) as pool:
        pages = list(pool.map(lambda _: sent(guest, "prosecution", source), range(100)))
    waiting.set()
    watcher.join()
    counts = Counter(page.status_code for page in pages)
    assert set(counts) <= {302, 422} and counts[302] > 0, f"{counts}\n{served.logged()}"
    assert answered and set(answered) == {200}, f"others work on meanwhile: {Counter(answered)}\n{served.logged()}"
    tokens = {page.headers["Location"].rsplit("/", 1)[1] for page in pages if page.status_code == 302}
    incoming = served.place.inbox / ".incoming"
    assert len(tokens) == counts[302], "each has its own place"
    for token in tokens:
        assert {path.name: path.read_bytes() for path in (incoming / token).iterdir()} == source
    for token in tokens:
        guest.post(f"/prosecution/uploads/{token}/discard", allow_redirects=False)
    assert not tokens & {path.name for path in incoming.iterdir()}


def test_two_hundred_slow_uploads_hold_nobody(served: Served) -> None:
    guest = Guest(served.url).demo("engineer")
    clerk = Guest(served.url).demo("clerk", "police")
    cookies = "; ".join(f"{name}={value}" for name, value in clerk.web.cookies.items())
    slow = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(200)]
    for n, one in enumerate(slow):
        head = f"POST /police/new HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nCookie: {cookies}\r\nContent-Length: 1000000\r\n"
        one.sendall(head.encode() + (b"\r\n" + b"x" * 10 if n % 2 else b"X-Slow: "))
    for _ in range(5):
        assert guest.get("/engineer").status_code == 200
    for one in slow:
        one.close()


def test_an_upload_that_breaks_off_leaves_nothing(served: Served) -> None:
    guest = Guest(served.url).demo("clerk", "corrections")
    cookies = "; ".join(f"{name}={value}" for name, value in guest.web.cookies.items())
    received, incoming = served.place.home.root / "portal" / "received", served.place.inbox / ".incoming"
    before = {path.name for path in incoming.iterdir()} if incoming.is_dir() else set()
    with socket.create_connection(("127.0.0.1", served.port)) as one:
        head = (
            f"POST /corrections/new HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nCookie: {cookies}\r\n"
            f"X-CSRFToken: {guest.web.cookies['harmonia_csrf']}\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            "Content-Length: 9000000\r\n\r\n"
        )
        part = '--b\r\nContent-Disposition: form-data; name="files"; filename="a.csv"\r\n\r\n'
        one.sendall(head.encode() + part.encode() + b"x" * 3_000_000)
    assert guest.get("/corrections").status_code == 200
    assert ({path.name for path in incoming.iterdir()} if incoming.is_dir() else set()) == before
    for _ in range(100):
        parts = [path for path in received.iterdir() if path.is_file()]
        if not parts:
            break
        time.sleep(0.1)
    assert parts == [], "nor a part of it"


def test_more_than_the_limit_is_refused_before_it_is_stored(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as one:
        one.sendall(f"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nContent-Length: {GIB}\r\n\r\n".encode() + b"x" * 1_000)
        assert b" 413 " in one.recv(1_000)


def test_a_large_body_is_read_only_from_somebody_who_is_signed_in(served: Served) -> None:
    guest = Guest(served.url).demo("clerk", "police")
    session = guest.web.cookies["harmonia_session"]

    def answer(cookies: str, length: str = "Content-Length: 1000000", patience: float = 30) -> bytes:
        """What the server says to the head of a request and the first bytes of its body; empty: it waits for the rest."""
        with socket.create_connection(("127.0.0.1", served.port), timeout=patience) as one:
            one.sendall(f"POST /police/new HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n{cookies}{length}\r\n\r\n".encode())
            one.sendall(b"20000\r\n" + b"x" * 0x1FFFF if "chunked" in length else b"x" * 1_000)
            try:
                return one.recv(1_000)
            except TimeoutError:
                return b""

    mine, forged = f"Cookie: harmonia_session={session}\r\n", "Cookie: harmonia_session=abcdefghijklmnop\r\n"
    for length in ("Content-Length: 1000000", "Transfer-Encoding: chunked"):
        assert answer(mine, length, patience=1) == b""
        for stranger in ("", forged, f"Authorization: Bearer {session}\r\n"):
            assert b" 413 " in answer(stranger, length)
    assert b" 403 " in answer("", "Content-Length: 1000"), "a small one is read, and refused by its page"
    guest.post("/sign-out")
    assert b" 413 " in answer(mine), "signed out meanwhile"


def test_a_script_gets_json(served: Served) -> None:
    guest = Guest(served.url).demo("clerk", "police", "sq")
    page = guest.post("/police/new", {"period": "2013-Q4"}, headers={"X-Requested-With": "XMLHttpRequest"})
    assert page.status_code == 422 and json.loads(page.text)["problem"]
