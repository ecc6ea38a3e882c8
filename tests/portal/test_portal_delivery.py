"""A delivery's way: upload, check, submit, receipt; what is refused, and that nothing is half-done."""

from __future__ import annotations

import shutil
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from portal_world import World

from sources import contract


def files(folder: Path) -> list[BytesIO]:
    out = []
    for path in sorted(folder.iterdir()):
        content = BytesIO(path.read_bytes())
        content.name = path.name
        out.append(content)
    return out


def upload(client: Any, folder: Path, institution: str = "police", period: str = "2013-Q4") -> str:
    """Upload a delivery; its page once the check has ended."""
    page = client.post(f"/{institution}/new", {"period": period, "files": files(folder)})
    assert page.status_code == 302, page.content.decode()
    return wait(client, page.url)


def wait(client: Any, url: str) -> str:
    for _ in range(200):
        text = client.get(url).content.decode()
        if 'id="running"' not in text:
            return text
        time.sleep(0.3)
    raise AssertionError("the check did not end")


def newest() -> Any:
    from portal.institution.models import Upload

    return Upload.objects.order_by("-at").first()


@pytest.fixture(autouse=True)
def _clean(world: World) -> Any:
    from portal.institution.models import Submission, Upload
    from portal.institution.uploads import remove_upload

    yield
    for one in Upload.objects.all():
        remove_upload(one)
    Submission.objects.all().delete()
    for folder in world.place.inbox.glob("*/2013-Q4*"):
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def test_a_delivery_is_checked_and_submitted_with_a_receipt(world: World) -> None:
    from harmonia.feedback.texts import load_feedback_texts
    from harmonia.trial import check_folder_in_dry_run
    from portal.institution.models import Submission

    client, source = world.client("clerk", "police", "sr"), world.later / "police" / "2013-Q4"
    page = upload(client, source)
    trial = check_folder_in_dry_run(source, "police", "2013-Q4")
    asks = trial.findings[(trial.findings["severity"] != "info") & (trial.findings["origin"] == "cause")]
    assert f"<strong>{len(asks)}</strong>" in page, "as many findings as `harmonia check` has"
    assert load_feedback_texts("sr")["severity_one"]["warning"] in page, "in the clerk's language"
    assert "Šta bi se brojalo" in page and "2013-Q3" in page and "2012-Q4" in page
    assert not (world.place.inbox / "police" / "2013-Q4").exists(), "nothing is submitted yet"
    token = newest().token
    receipt = client.post(f"/police/uploads/{token}/submit")
    given = Submission.objects.get()
    assert receipt.url == f"/police/receipts/{given.number}"
    text = client.get(receipt.url).content.decode()
    assert given.hash in text and str(given.number) in text
    assert {p.name: p.read_bytes() for p in source.iterdir()} == {
        p.name: p.read_bytes() for p in (world.place.inbox / "police" / "2013-Q4").iterdir()
    }
    again = client.post(f"/police/uploads/{token}/submit")
    assert again.url == receipt.url, "pressed twice: the same receipt"
    assert world.audit()[-1][1:3] == ("submit a delivery", f"police 2013-Q4: {given.hash}")
    board = client.get("/police").content.decode()
    assert "primljena, čeka obradu" in board


def test_the_receipts_hash_is_the_ledgers(world: World) -> None:
    from harmonia.registry.ledger import read_deliveries
    from pipelines.landing import upload_folders
    from portal.services import registry

    with registry().read() as session:
        ledger = {(one.institution, one.name): one.receipts[-1].hash for one in read_deliveries(session)}
    folders = [path for path in world.place.inbox.glob("*/2013-Q[123]*") if all(inner.is_file() for inner in path.iterdir())]
    assert len(folders) > 5
    assert {(p.parent.name, p.name): upload_folders.hash_upload(p)[0] for p in folders} == {
        (p.parent.name, p.name): ledger[p.parent.name, p.name] for p in folders
    }


def test_a_name_that_was_taken_in_the_inbox_meanwhile_is_passed_over(world: World) -> None:
    """Somebody copies a delivery into the inbox between the promise of a name and the rename."""
    from portal.institution.models import Submission
    from portal.institution.uploads import submit_upload

    client, source = world.client("clerk", "police"), world.later / "police" / "2013-Q4"
    upload(client, source)
    one = newest()
    given = {"token": one.token, "institution": "police", "period": "2013-Q4", "account": one.account}
    Submission.objects.create(**given, delivery="2013-Q4", hash="", files=[])
    taken = world.place.inbox / "police" / "2013-Q4"
    shutil.copytree(source, taken)
    assert client.get("/police").status_code == 200, "nor does it stop the pages"
    assert not Submission.objects.exists()
    Submission.objects.create(**given, delivery="2013-Q4", hash="", files=[])
    assert submit_upload(one, one.account).delivery == "2013-Q4_v2"
    assert {path.name for path in taken.with_name("2013-Q4_v2").iterdir()} == {path.name for path in source.iterdir()}


def test_files_of_uploads_that_end_meanwhile_stop_no_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client, listed = world.client("head", "police"), Path.glob

    def gone(folder: Path, pattern: str) -> list[Path]:
        return (
            [*listed(folder, pattern), folder / "ended.upload"]
            if folder.name in ("received", ".incoming")
            else list(listed(folder, pattern))
        )

    monkeypatch.setattr(Path, "glob", gone)
    (world.place.inbox / ".incoming").mkdir(exist_ok=True)
    assert client.get("/police").status_code == 200


@pytest.mark.slow
def test_a_second_delivery_of_a_quarter_is_its_next_version(world: World) -> None:
    client, source = world.client("clerk", "police"), world.later / "police" / "2013-Q4"
    for expected in ("2013-Q4", "2013-Q4_v2"):
        upload(client, source)
        client.post(f"/police/uploads/{newest().token}/submit")
        assert (world.place.inbox / "police" / expected).is_dir()


@pytest.mark.slow
def test_the_file_of_another_institution_and_another_quarter_are_named(world: World) -> None:
    client = world.client("clerk", "police")
    page = upload(client, world.later / "courts" / "2013-Q4")
    assert "A file of another institution" in page or "not agreed" in page
    assert "No row of these files was accepted." in page and '<button class="primary">Discard</button>' in page
    assert '<button class="primary">Submit</button>' not in page
    assert "<dd>courts</dd>" not in page and f"<dd>{contract.load('courts').publisher['en']}</dd>" in page
    page = upload(client, world.place.inbox / "police" / "2013-Q1", period="2013-Q4")
    assert "Most of the dates are of another period: first quarter of 2013" in page
    assert "The same files were already delivered as: 2013-Q1" in page


@pytest.mark.parametrize(
    ("name", "problem"),
    [("../rastet.csv", None), ("rastet\x07.csv", None), (".hidden", "bad_name"), ("Thumbs.db", "bad_name"), ("a" * 200, "bad_name")],
)
def test_names_of_files_lead_nowhere(world: World, name: str, problem: str | None) -> None:
    from portal.words import portal_texts

    client = world.client("clerk", "police")
    content = BytesIO(b"x")
    content.name = name
    page = client.post("/police/new", {"period": "2013-Q4", "files": [content]})
    if problem is None:
        assert page.status_code == 302
        folder = world.place.inbox / ".incoming" / newest().token
        assert [path.name for path in folder.iterdir()] == ["rastet.csv"]
    else:
        assert page.status_code == 422
        assert portal_texts("en")["upload_problems"][problem] in page.content.decode()


def test_too_much_and_a_full_disk_are_one_clear_line(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.test import override_settings

    from portal.institution import uploads
    from portal.words import portal_texts

    client, source = world.client("clerk", "police"), world.later / "police" / "2013-Q4"
    problems = portal_texts("en")["upload_problems"]
    with override_settings(UPLOAD_BYTES=10):
        page = client.post("/police/new", {"period": "2013-Q4", "files": files(source)})
    assert page.status_code == 422 and problems["too_large"].format(about=0) in page.content.decode()
    monkeypatch.setattr(uploads, "_MIN_FREE_BYTES", 1 << 60)
    page = client.post("/police/new", {"period": "2013-Q4", "files": files(source)}, headers={"X-Requested-With": "XMLHttpRequest"})
    assert page.status_code == 422 and page.json()["problem"] == problems["disk_full"]
    assert newest() is None and not list((world.place.inbox / ".incoming").glob("*"))


@pytest.mark.slow
def test_another_institutions_upload_and_receipt_are_not_there(world: World) -> None:
    police, courts = world.client("clerk", "police"), world.client("clerk", "courts")
    upload(police, world.later / "police" / "2013-Q4")
    token = newest().token
    assert courts.get(f"/police/uploads/{token}").status_code == 403
    assert courts.get(f"/courts/uploads/{token}").status_code == 404
    assert courts.post(f"/courts/uploads/{token}/submit").status_code == 404
    assert courts.post(f"/courts/uploads/{token}/discard").status_code == 404
    number = police.post(f"/police/uploads/{token}/submit").url.rsplit("/", 1)[1]
    assert courts.get(f"/courts/receipts/{number}").status_code == 404


@pytest.mark.slow
def test_a_kill_between_promise_and_rename_is_completed_at_the_next_start(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.landing import upload_folders
    from portal.institution import uploads
    from portal.institution.models import Submission

    class KilledError(BaseException):
        pass

    def killed(*_: object) -> bool:
        raise KilledError

    client = world.client("clerk", "police")
    upload(client, world.later / "police" / "2013-Q4")
    one = newest()
    monkeypatch.setattr(upload_folders, "place_upload", killed)
    with pytest.raises(KilledError):
        uploads.submit_upload(one, one.account)
    monkeypatch.undo()
    assert not (world.place.inbox / "police" / "2013-Q4").exists()
    uploads.finish_interrupted_submissions()
    assert (world.place.inbox / "police" / "2013-Q4" / "rastet.csv").is_file()
    assert Submission.objects.get().placed


@pytest.mark.slow
def test_a_run_passes_over_what_is_being_uploaded(world: World) -> None:
    from pipelines.landing.walk import walk_inbox

    upload(world.client("clerk", "police"), world.later / "police" / "2013-Q4")
    found = walk_inbox(world.place.inbox)
    assert not [one for one in found.findings if one["file"] and "incoming" in one["file"]]
    assert ("police", "2013-Q4") not in {(one.institution, str(one.name)) for one in found.folders}
