"""Deliveries pulled from real servers of files: what comes comes whole and once, and what goes wrong costs its institution alone."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pull_world import Authority, PullWorld, Sshd, https, keygen, s3, secret, silent_server, sshd

from pipelines.pull.errors import PullError
from pipelines.pull.pulling import PullLimits
from pipelines.pull.share import Share

BOTH = {"rastet.csv": b"rastet.csv one\r\n", "personat.csv": b"personat.csv one\r\n"}
PULLED = [("police", "2013-Q2", "pulled", "2013-Q2")]


@pytest.fixture
def world(tmp_path: Path) -> PullWorld:
    return PullWorld(tmp_path)


@pytest.fixture(scope="module")
def server() -> Iterator[Sshd]:
    with sshd() as one:
        yield one


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def whole(files: dict[str, bytes], delivery: str = "2013-Q2", text: str = "one") -> bool:
    """Whether the inbox holds a delivery as it was offered, and nothing half-built."""
    mine = {path: data for path, data in files.items() if path.startswith(f"police/{delivery}/")}
    expected = {f"police/{delivery}/{name}": data.replace(b"one", text.encode()) for name, data in BOTH.items()}
    return mine == expected and not any(path.startswith(".pull/") for path in files)


def test_sftp_brings_a_delivery_once_and_lands_it_with_a_receipt(world: PullWorld, server: Sshd) -> None:
    world.offer()
    world.declare("police", **server.source(world.there))
    assert world.results(dry_run=True) == [("police", "2013-Q2", "new", None)]
    assert world.deliveries() == []
    assert world.ledger()["pull"] == []
    assert world.results() == PULLED
    assert whole(world.inbox_files())
    assert world.land().new[0].institution == "police"
    assert world.landed_files() == {("police", "2013-Q2"): BOTH}
    before = world.ledger()["pull"]
    assert world.results() == [("police", "2013-Q2", "unchanged", "2013-Q2")]
    assert world.ledger()["pull"] == before
    (world.there / "2013-Q2" / "rastet.csv").touch()  # the same bytes again
    assert world.results() == [("police", "2013-Q2", "unchanged", "2013-Q2")]
    assert world.list_findings() == []


def test_another_content_under_the_same_name_is_the_next_version(world: PullWorld) -> None:
    world.declare("police", kind="share", path=str(world.there))
    for number, text in enumerate(("one", "two", "one"), 1):  # the third time the first content is news again
        world.offer(text=text)
        name = "2013-Q2" if number == 1 else f"2013-Q2_v{number}"
        assert world.results() == [("police", "2013-Q2", "pulled", name)]
        assert whole(world.inbox_files(), name, text)
        world.land()
    world.offer("2013-Q2_v4", "four")
    assert ("police", "2013-Q2_v4", "pulled", "2013-Q2_v4") in world.results()


def test_what_was_copied_by_hand_is_not_pulled_again(world: PullWorld) -> None:
    shutil.copytree(world.offer(), world.inbox / "police" / "2013-Q2")
    shutil.copytree(world.offer("2013-Q2_v2", "two"), world.inbox / "police" / "2013-Q2_v2")
    world.land()
    shutil.rmtree(world.inbox / "police" / "2013-Q2")  # landed, and cleared away
    world.declare("police", kind="share", path=str(world.there))
    assert world.results() == [("police", "2013-Q2", "unchanged", "2013-Q2"), ("police", "2013-Q2_v2", "unchanged", "2013-Q2_v2")]
    assert world.deliveries() == ["police/2013-Q2_v2"]


def test_another_host_key_is_refused_before_anything_is_sent(world: PullWorld, server: Sshd, tmp_path: Path) -> None:
    world.offer()
    world.declare("police", **{**server.source(world.there), "host_key": keygen(tmp_path / "other")})
    before = (server.folder / "log").read_text()
    assert world.results() == [("police", None, "failed", "pull-host-key")]
    assert "publickey" not in (server.folder / "log").read_text().removeprefix(before)


def test_another_key_is_refused(world: PullWorld, server: Sshd, tmp_path: Path) -> None:
    keygen(tmp_path / "stranger")
    world.declare("police", **{**server.source(world.there), "key": {"file": str(tmp_path / "stranger")}})
    assert world.results() == [("police", None, "failed", "pull-refused")]


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ({"environment": "NO_SUCH_SECRET"}, "key: its variable is not set or empty"),
        ({"file": "/no/such/file"}, "key: its file cannot be read"),
        ({}, "key: needs either `environment` or `file`"),
    ],
)
def test_a_missing_secret_is_reported_with_its_place(world: PullWorld, server: Sshd, place: dict[str, str], said: str) -> None:
    world.declare("police", **{**server.source(world.there), "key": place})
    (one,) = world.pull()
    assert (one.rule, one.detail, one.result) == ("pull-no-secret", said, "failed")


def test_a_secret_that_everybody_can_read_is_refused(world: PullWorld, server: Sshd, tmp_path: Path) -> None:
    open_to_all = tmp_path / "key"
    shutil.copy(server.key["file"], open_to_all)
    open_to_all.chmod(0o644)
    world.declare("police", **{**server.source(world.there), "key": {"file": str(open_to_all)}})
    assert world.pull()[0].detail == "key: everybody can read its file; chmod it to 0600"


def test_a_secret_in_the_declaration_is_refused_and_shown_nowhere(world: PullWorld) -> None:
    world.declare("police", kind="https", url="https://localhost/", token="hunter2")
    (one,) = world.pull()
    assert one.rule == "pull-not-configured"
    assert "hunter2" not in repr(one) + repr(world.ledger())
    world.declare("police", kind="https", url="https://me:hunter2@localhost/")
    assert "hunter2" not in repr(world.pull()) + repr(world.ledger())


def test_https_with_token_and_certificates(world: PullWorld, authority: Authority, tmp_path: Path) -> None:
    world.offer()
    token = secret(tmp_path, "token", "s3cret-token\n")
    certificate, key = authority.issue("client")
    keys = {"kind": "https", "ca": str(authority.ca), "token": token}
    with https(world.there, authority.issue("server"), token="s3cret-token", clients=authority.ca) as url:
        world.declare("police", url=url, **keys)
        assert world.results() in ([("police", None, "failed", rule)] for rule in ("pull-certificate", "pull-unreachable"))
        world.declare("police", url=url, certificate=str(certificate), key=str(key), **keys)
        assert world.results() == PULLED
        assert whole(world.inbox_files())
        assert world.results() == [("police", "2013-Q2", "unchanged", "2013-Q2")]
        world.declare("police", url=url, certificate=str(certificate), key=str(key), **{**keys, "token": secret(tmp_path, "t", "wrong")})
        assert world.results() == [("police", None, "failed", "pull-refused")]
        world.declare("police", url=url + "none/", certificate=str(certificate), key=str(key), **keys)
        assert world.results() == [("police", None, "failed", "pull-folder-missing")]


@pytest.mark.parametrize("days", [-1, 30])
def test_a_certificate_that_expired_or_is_another_authoritys_is_refused(
    world: PullWorld, authority: Authority, tmp_path: Path, days: int
) -> None:
    ca = authority.ca if days < 0 else Authority(tmp_path).ca
    with https(world.there, authority.issue("expired", days)) as url:
        world.declare("police", kind="https", url=url, ca=str(ca))
        assert world.results() == [("police", None, "failed", "pull-certificate")]


@pytest.mark.slow
def test_s3_brings_a_delivery_once(world: PullWorld, tmp_path: Path) -> None:
    boto3 = pytest.importorskip("boto3")
    with s3() as endpoint:
        store = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1")
        store.create_bucket(Bucket="exports")
        keys = {"access_key": secret(tmp_path, "a", "a"), "secret_key": secret(tmp_path, "b", "b")}
        world.declare("police", kind="s3", path="exports/police", endpoint=endpoint, **keys)
        assert world.results() == [("police", None, "failed", "pull-folder-missing")]  # in S3 an empty folder is none
        for name, data in BOTH.items():
            store.put_object(Bucket="exports", Key=f"police/2013-Q2/{name}", Body=data)
        assert world.results() == PULLED
        assert whole(world.inbox_files())
        assert world.results() == [("police", "2013-Q2", "unchanged", "2013-Q2")]
        store.put_object(Bucket="exports", Key="police/2013-Q2/rastet.csv", Body=b"rastet.csv two\r\n")
        store.put_object(Bucket="exports", Key="police/2013-Q2/personat.csv", Body=b"personat.csv two\r\n")
        assert world.results() == [("police", "2013-Q2", "pulled", "2013-Q2_v2")]
        world.declare("police", kind="s3", path="nowhere/police", endpoint=endpoint, **keys)
        assert world.results()[0][2:] == ("failed", "pull-folder-missing")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sftp", "https", "s3"])
def test_a_server_that_accepts_and_never_answers_ends_at_the_deadline(
    world: PullWorld, server: Sshd, authority: Authority, tmp_path: Path, kind: str
) -> None:
    world.offer()
    world.declare("inspectorate", kind="share", path=str(world.there), optional=["raporti.xlsx"])
    with silent_server() as port:
        keys = {
            "sftp": {**server.source(world.there), "port": port},
            "https": {"kind": "https", "url": f"https://localhost:{port}/", "ca": str(authority.ca)},
            "s3": {
                "kind": "s3",
                "path": "exports",
                "endpoint": f"http://127.0.0.1:{port}",
                "access_key": secret(tmp_path, "a", "a"),
                "secret_key": secret(tmp_path, "b", "b"),
            },
        }[kind]
        world.declare("police", **keys)
        begin = time.monotonic()
        found = world.results(limits=PullLimits(seconds=3))
        assert time.monotonic() - begin < 15
    assert found == [("police", None, "failed", "pull-deadline"), ("inspectorate", "2013-Q2", "pulled", "2013-Q2")]


def _endless(handler: Any) -> bool:
    """A file of unknown length that never ends."""
    if handler.command == "GET" and handler.path.endswith("rastet.csv"):
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)
    if handler.command == "HEAD" and handler.path.endswith("rastet.csv"):
        handler.send_response(200)
        handler.send_header("ETag", '"1"')
        handler.end_headers()
        return True
    return False


def _cut(handler: Any) -> bool:
    """A file whose second half never comes."""
    if handler.command == "GET" and handler.path.endswith("rastet.csv"):
        handler.send_response(200)
        handler.send_header("Content-Length", "16")
        handler.end_headers()
        handler.wfile.write(b"rastet.c")
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)
        return True
    return False


def _lies(handler: Any) -> bool:
    """A file that is announced with 16 bytes and has others' 40."""
    if handler.command == "GET" and handler.path.endswith("rastet.csv"):
        handler.send_response(200)
        handler.send_header("Content-Length", "40")
        handler.end_headers()
        handler.wfile.write(b"y" * 40)
        return True
    return False


def _redirects(handler: Any) -> bool:
    handler.send_response(302)
    handler.send_header("Location", "https://localhost:1/")
    handler.send_header("Content-Length", "0")
    handler.end_headers()
    return True


@pytest.mark.parametrize(
    ("misbehave", "delivery", "result", "rule"),
    [
        (_endless, "2013-Q2", "failed", "pull-too-large"),
        (_cut, "2013-Q2", "failed", "pull-unreachable"),
        (_lies, "2013-Q2", "waiting", "pull-file-growing"),
        (_redirects, None, "failed", "pull-failed"),
    ],
)
def test_a_server_that_misbehaves_leaves_nothing_in_part(
    world: PullWorld, authority: Authority, misbehave: Any, delivery: str | None, result: str, rule: str
) -> None:
    world.offer()
    certificate = authority.issue("server")
    with https(world.there, certificate, misbehave=misbehave) as url:
        world.declare("police", kind="https", url=url, ca=str(authority.ca), largest=4)
        assert world.results() == [("police", delivery, result, rule)]
        assert world.inbox_files() == {}
    assert world.list_findings() == [(rule, "police", None, None)]  # the institution reads it in its findings
    with https(world.there, certificate) as url:
        world.declare("police", kind="https", url=url, ca=str(authority.ca))
        assert world.results() == PULLED
    assert world.list_findings() == []


def test_a_connection_that_is_cut_once_is_tried_again(world: PullWorld, authority: Authority) -> None:
    world.offer()
    cuts = []

    def once(handler: Any) -> bool:
        if handler.command == "GET" and handler.path.endswith("rastet.csv") and not cuts:
            cuts.append(1)
            return _cut(handler)
        return False

    with https(world.there, authority.issue("server"), misbehave=once) as url:
        world.declare("police", kind="https", url=url, ca=str(authority.ca))
        assert world.results() == PULLED
    assert cuts
    assert whole(world.inbox_files())


def test_a_file_that_grows_is_left_for_the_next_time(world: PullWorld) -> None:
    folder = world.offer()
    world.declare("police", kind="share", path=str(world.there), settle=0.5)
    stop = threading.Event()

    def grow() -> None:
        with (folder / "rastet.csv").open("ab", buffering=0) as file:
            while not stop.wait(0.05):
                file.write(b"more")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        assert world.results() == [("police", "2013-Q2", "waiting", "pull-file-growing")]
    finally:
        stop.set()
        writer.join()
    assert world.deliveries() == []
    assert world.results() == PULLED


@pytest.mark.parametrize("left", ["rastet.csv.filepart", "personat.csv.part", "x.tmp"])
def test_a_delivery_that_is_being_uploaded_waits(world: PullWorld, left: str) -> None:
    world.offer(files=("rastet.csv", "personat.csv", left))
    world.declare("police", kind="share", path=str(world.there))
    assert world.results() == [("police", "2013-Q2", "waiting", "pull-file-growing")]


def test_files_that_belong_together_come_together(world: PullWorld) -> None:
    world.offer(files=("rastet.csv",))
    world.declare("police", kind="share", path=str(world.there))
    (one,) = world.pull()
    assert (one.result, one.rule, one.detail) == ("waiting", "pull-file-missing", "personat.csv")
    assert world.deliveries() == []
    world.offer()
    assert world.results() == PULLED
    world.offer("2013-Q3", files=("rastet.csv",))
    world.declare("police", kind="share", path=str(world.there), optional=["personat.csv"])
    assert ("police", "2013-Q3", "pulled", "2013-Q3") in world.results()


def test_an_empty_source_and_an_empty_delivery_are_suspicious(world: PullWorld) -> None:
    world.declare("police", kind="share", path=str(world.there))
    assert world.results() == [("police", None, "waiting", "pull-folder-empty")]
    (world.there / "2013-Q2").mkdir()
    assert world.results() == [("police", "2013-Q2", "waiting", "pull-folder-empty")]
    assert [row[-2] for row in world.ledger()["pull"]] == ["pull-folder-empty", "pull-folder-empty", None]


def test_names_that_are_no_deliveries_are_reported_and_links_not_followed(world: PullWorld) -> None:
    world.offer()
    (world.there / "old exports").mkdir()
    (world.there / "2013-Q3").symlink_to("/etc")
    (world.there / "2013-Q2" / "passwd").symlink_to("/etc/passwd")
    world.declare("police", kind="share", path=str(world.there))
    (world.there / "2013-Q2" / "inner").mkdir()
    finding, pulled = world.pull()
    assert (finding.rule, finding.detail) == ("pull-name", "2013-Q2/inner, 2013-Q2/passwd, 2013-Q3, old exports")
    assert pulled.result == "pulled"
    assert whole(world.inbox_files())
    before = world.ledger()["pull"]
    world.pull()
    assert world.ledger()["pull"] == before  # the same again is no news
    world.declare("police", kind="share", path=str(world.there))
    (world.home.root / "pull.yaml").write_text("{}")
    world.pull()
    assert world.list_findings() == []


def test_a_link_that_takes_a_files_place_is_not_followed(world: PullWorld) -> None:
    world.offer()
    source = Share(kind="share", path=world.there)
    target = world.there / "2013-Q2" / "rastet.csv"
    with source.connect({}) as remote:
        (entry,) = [one for one in remote.list_entries("2013-Q2") if one.name == "rastet.csv"]
        assert entry.kind == "file"
        target.unlink()
        target.symlink_to("/etc/passwd")
        with pytest.raises(PullError, match="a link took its place"):
            next(remote.read_chunks("2013-Q2/rastet.csv"))


def test_files_of_a_flat_layout_are_grouped_by_delivery(world: PullWorld) -> None:
    for name, data in BOTH.items():
        (world.there / f"2013-Q2_{name}").write_bytes(data)
        (world.there / f"2013-Q2_v2_{name}").write_bytes(data.replace(b"one", b"two"))
    world.declare("police", kind="share", path=str(world.there), layout="{delivery}_{file}")
    assert world.results() == [*PULLED, ("police", "2013-Q2_v2", "pulled", "2013-Q2_v2")]
    assert whole(world.inbox_files())
    assert whole(world.inbox_files(), "2013-Q2_v2", "two")


def test_an_institution_whose_folder_cannot_be_written_stops_alone(world: PullWorld) -> None:
    world.offer()
    world.put("police", "a file in the place of the folder")
    world.declare("police", kind="share", path=str(world.there))
    world.declare("inspectorate", kind="share", path=str(world.there), optional=["raporti.xlsx"])
    assert world.results() == [("police", "2013-Q2", "failed", "pull-inbox"), ("inspectorate", "2013-Q2", "pulled", "2013-Q2")]


def test_a_broken_declaration_stops_its_institution_alone(world: PullWorld) -> None:
    world.offer()
    world.declare("police", kind="share", path=str(world.there), pth="typing error")
    world.declare("inspectorate", kind="share", path=str(world.there), optional=["raporti.xlsx"])
    first, second = world.pull()
    assert (first.institution, first.rule) == ("police", "pull-not-configured")
    assert "police.pth is not a known key" in first.detail
    assert second.result == "pulled"


def test_a_pull_that_another_process_does_is_left_to_it(world: PullWorld) -> None:
    from harmonia.lock import lock_pulls

    world.offer()
    world.declare("police", kind="share", path=str(world.there))
    with lock_pulls(world.home, "police"):
        (one,) = world.pull()
    assert one.result == "waiting"
    assert f"process {os.getpid()}" in one.detail
    assert world.results() == PULLED
