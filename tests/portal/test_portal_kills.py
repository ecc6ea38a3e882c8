"""The portal killed at any moment of an upload, a submission, an answer and a signature: nothing half-done, nothing lost.

The server runs in a forked process that is killed without warning while it works on a request; the next one starts over the same home.
`HARMONIA_TEST_VOLUME=whole` kills 200 times.
"""

from __future__ import annotations

import http.client
import os
import random
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from portal_world import World, free_port
from volume import WHOLE

pytestmark = pytest.mark.slow
TOKEN = "k" * 32
BOUNDARY = "kills"


class Server:
    """The portal in a forked process."""

    def __init__(self) -> None:
        self.port = free_port()
        self.pid = 0

    def start(self) -> None:
        from django.db import connections

        from portal.services import registry

        connections.close_all()
        registry().close()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                from django.core.wsgi import get_wsgi_application
                from waitress import create_server

                from portal.institution.uploads import finish_interrupted_submissions

                finish_interrupted_submissions()
                connections.close_all()
                create_server(get_wsgi_application(), host="127.0.0.1", port=self.port, threads=4, ident=None).run()
            finally:
                os._exit(1)
        for _ in range(400):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("the server did not start")

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def send(port: int, session: str, path: str, body: bytes, kind: str) -> int | None:
    """The status of a POST; None where the server died."""
    headers = {"Cookie": f"harmonia_session={session}; harmonia_csrf={TOKEN}", "X-CSRFToken": TOKEN, "Content-Type": kind}
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("POST", path, body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None


def multipart(period: str, folder: Path) -> bytes:
    parts = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="period"\r\n\r\n{period}\r\n'.encode()]
    for path in sorted(folder.iterdir()):
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{path.name}"\r\n\r\n'.encode()
        parts.append(head + path.read_bytes() + b"\r\n")
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


def killed_at_random(server: Server, request: Callable[[], int | None], longest: float, seed: random.Random) -> int | None:
    """Send a request, kill the server at a random moment of it, start another. The status that came back, if one did."""
    answers: list[int | None] = []
    sending = threading.Thread(target=lambda: answers.append(request()))
    sending.start()
    time.sleep(seed.random() * longest)
    server.kill()
    sending.join()
    server.start()
    return answers[0]


def test_nothing_is_half_done(world: World) -> None:
    from sqlalchemy import select

    from harmonia import signing
    from harmonia.registry import seal
    from harmonia.registry.tables import Answer, Signature
    from portal.institution.models import Submission, Upload
    from portal.services import registry

    def unsealed() -> list[str]:
        with registry().read() as session:
            return seal.find_integrity_problems(session)

    unsealed_before = unsealed()  # test_portal_steward.py removes rows of the same registry
    seed, server = random.Random(17), Server()
    clerk, head = (world.client(role, "police").session.session_key for role in ("clerk", "head"))
    source = world.later / "police" / "2013-Q4"
    inbox, body = world.place.inbox, multipart("2013-Q4", source)
    form = "application/x-www-form-urlencoded"
    content = {path.name: path.read_bytes() for path in source.iterdir()}
    report = world.place.home.feedback / "police" / "2013-Q2" / "findings.json"
    assert report.is_file()
    server.start()

    def post(path: str, data: bytes, kind: str = form, session: str = clerk) -> int | None:
        return send(server.port, session, f"/police/{path}", data, kind)

    def timed(work: Callable[[], Any]) -> float:
        begun = time.perf_counter()
        work()
        return time.perf_counter() - begun

    def signatures() -> int:
        with registry().read() as session:
            return len(list(session.scalars(select(Signature.id))))

    def given(reason: str) -> int:
        with registry().read() as session:
            return len(list(session.scalars(select(Answer.id).where(Answer.reason == reason))))

    upload_kind = f"multipart/form-data; boundary={BOUNDARY}"
    uploading = timed(lambda: post("new", body, upload_kind))
    first = Upload.objects.order_by("-at").first()
    submitting = timed(lambda: post(f"uploads/{first.token}/submit", b""))
    answering = timed(lambda: post("deliveries/2013-Q2/answer", b"all=1&kind=to_do&verdict=no_error&reason=undisturbed"))
    whole_answer = given("undisturbed")
    assert whole_answer > 1
    kills = {"upload": 0, "submission": 0, "answer": 0, "signature": 0}
    for n in range(200 if WHOLE else 16):
        step = list(kills)[n % 4]
        kills[step] += 1
        if step == "upload":
            before = set(Upload.objects.values_list("token", flat=True))
            killed_at_random(server, lambda: post("new", body, upload_kind), uploading, seed)
            for one in Upload.objects.exclude(token__in=before):
                there = {path.name: path.read_bytes() for path in (inbox / ".incoming" / one.token).iterdir()}
                assert there == content, "an upload that is listed is whole"
        elif step == "submission":
            post("new", body, upload_kind)
            token = Upload.objects.order_by("-at").first().token
            killed_at_random(server, lambda token=token: post(f"uploads/{token}/submit", b""), submitting, seed)
            done = Submission.objects.filter(token=token)
            assert all(one.placed for one in done), "a promise is kept at the next start"
            assert Upload.objects.filter(token=token).exists() != done.exists(), "either still an upload, or a delivery with its receipt"
        elif step == "answer":
            reason = f"kill {n}"
            data = f"all=1&kind=to_do&verdict=no_error&reason={reason}".replace(" ", "+").encode()
            status = killed_at_random(server, lambda data=data: post("deliveries/2013-Q2/answer", data), answering, seed)
            assert given(reason) in (0, whole_answer), "all answers or none"
            assert status is None or given(reason) == whole_answer, "what was confirmed is there"
        else:
            seen = signing.read_signature_states(registry(), "police")["police", "2013-Q1"].content_hash
            before_signing = signatures()
            status = killed_at_random(
                server, lambda seen=seen: post("quarters/2013-Q1/sign", f"seen={seen}".encode(), session=head), answering, seed
            )
            assert signatures() - before_signing in (0, 1)
            assert status is None or signatures() == before_signing + 1
        deliveries = {path.name for path in (inbox / "police").glob("2013-Q4*")}
        receipts = {one.delivery: one for one in Submission.objects.filter(institution="police")}
        assert deliveries == set(receipts), "each delivery has its receipt, each receipt its delivery"
        for name in deliveries:
            assert {path.name: path.read_bytes() for path in (inbox / "police" / name).iterdir()} == content
    assert unsealed() == unsealed_before, "the registry is sealed whole"
    server.kill()
    assert all(kills.values())
    for name in [path.name for path in (inbox / "police").glob("2013-Q4*")]:
        shutil.rmtree(inbox / "police" / name)
    shutil.rmtree(inbox / ".incoming", ignore_errors=True)
    Submission.objects.all().delete()
    Upload.objects.all().delete()
