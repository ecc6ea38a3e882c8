"""What goes wrong around the portal: PostgreSQL away, a full disk, a workbook of another delivery, an account disabled meanwhile.

One clear line in the user's language, and nothing lost. Further bad input is with its pages: uploads in `test_portal_delivery`, answers
in `test_portal_findings`, verdicts in `test_portal_steward`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from portal_world import Guest, Served, World
from postgres_world import running
from sqlalchemy import make_url

from pipelines.resources.workplace import Workplace

WORDS: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "portal" / "words.yaml").read_text("utf-8"))
LANGUAGES = ["sq", "sr", "en"]
CLERKS = {"sq": "police", "sr": "courts", "en": "prosecution"}  # an account has one language


def line(key: str, language: str) -> str:
    """The title of a message."""
    return str(WORDS["messages"][key]["title"][LANGUAGES.index(language)])


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["HARMONIA_PORTAL_URL", "HARMONIA_REGISTRY_URL"])
def test_postgresql_away_is_one_line_and_the_session_survives(served: Served, tmp_path: Path, setting: str) -> None:
    shutil.copytree(served.place.inbox.parent, tmp_path / "set", symlinks=True, ignore=shutil.ignore_patterns("portal"))
    with running(18) as server:
        url = make_url(server.new_database("away")).set(drivername="postgresql").update_query_dict({"application_name": "options-pass"})
        place = Workplace.from_paths(tmp_path / "set" / "inbox", tmp_path / "set" / "home")
        with Served.started(place, tmp_path / "set" / "later", **{setting: url.render_as_string(hide_password=False)}) as portal:
            guests = {language: Guest(portal.url).demo("clerk", CLERKS[language], language) for language in LANGUAGES}
            with psycopg.connect(server.url()) as admin:
                assert admin.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'options-pass'").fetchone() != (0,)
            server.control("-m", "immediate", "stop")
            for _ in range(2):
                for language, guest in guests.items():
                    page = guest.get(f"/{CLERKS[language]}")
                    assert page.status_code == 503, page.text
                    assert line("away", language) in page.text or line("problem", language) in page.text
                    assert "Traceback" not in page.text and "psycopg" not in page.text
            server.control("start")
            for language, guest in guests.items():
                page = guest.get(f"/{CLERKS[language]}")
                assert page.status_code == 200 and "sign-in" not in page.url, "still signed in, and served again without a restart"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", folder], check=False).returncode:
        pytest.skip("cannot mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_nothing_is_lost(served: Served, small_disk: Path) -> None:
    shutil.copytree(served.place.inbox.parent, small_disk / "set", symlinks=True, ignore=shutil.ignore_patterns("portal", ".incoming"))
    place, later = Workplace.from_paths(small_disk / "set" / "inbox", small_disk / "set" / "home"), small_disk / "set" / "later"
    with Served.started(place, later) as portal:
        guests = {language: Guest(portal.url).demo("clerk", CLERKS[language], language) for language in LANGUAGES}
        files = [("files", (path.name, path.read_bytes())) for path in sorted((later / "courts" / "2013-Q4").iterdir())]
        answer = {"all": "1", "kind": "to_do", "verdict": "no_error", "reason": "a full disk"}
        findings = "/courts/deliveries/2013-Q3/findings"
        before = guests["sr"].get(findings).text
        with (small_disk / "ballast").open("wb") as ballast:
            try:
                while True:
                    ballast.write(bytes(1 << 16))
                    ballast.flush()
            except OSError:
                pass
            for language, guest in guests.items():
                messages = (line("disk_full", language), WORDS["upload_problems"]["disk_full"][LANGUAGES.index(language)])
                page = guest.post(f"/{CLERKS[language]}/new", {"period": "2013-Q4"}, files=files)
                assert page.status_code in (422, 507) and any(text in page.text for text in messages), page.text[:3_000]
                page = guest.post(f"/{CLERKS[language]}/deliveries/2013-Q3/answer", answer)
                assert page.status_code == 507 and messages[0] in page.text, page.text[:3_000]
        (small_disk / "ballast").unlink()
        assert not list((place.inbox / ".incoming").glob("*"))
        page = guests["sr"].get(findings)
        assert page.text.count('class="finding') == before.count('class="finding'), "no answer was entered in part"
        assert "Upisani odgovori" in guests["sr"].post("/courts/deliveries/2013-Q3/answer", answer).text
        assert guests["sr"].post("/courts/new", {"period": "2013-Q4"}, files=files).status_code == 200


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_workbook_of_an_older_delivery_says_which_one_it_was(world: World, language: str) -> None:
    clerk = world.client("clerk", "police", language)
    out = b"".join(clerk.post("/police/deliveries/2013-Q1/workbook").streaming_content)
    path = world.place.home.root / "portal" / "older.xlsx"
    path.write_bytes(out)
    with path.open("rb") as file:
        page = clerk.post("/police/deliveries/2013-Q3/answered", {"workbook": file})
    path.unlink()
    assert page.status_code == 200
    title = WORDS["workbook_of"][LANGUAGES.index(language)]
    assert f"{title}: 2013-Q1" in page.content.decode()


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_account_disabled_meanwhile_is_sent_to_the_sign_in_and_enters_nothing(world: World, language: str) -> None:
    from harmonia.feedback import answers
    from portal.accounts.models import Account
    from portal.services import registry

    Account.objects.filter(email="leaving@example.org").delete()
    fields = {"name": "Leaving", "granted": ["clerk"], "institution": "police", "language": language}
    account = Account.objects.create_user("leaving@example.org", **fields)
    clerk = world.client("clerk", "police", language)
    clerk.force_login(account)
    assert clerk.get("/police/deliveries/2013-Q2/findings").status_code == 200
    world.client("administrator").post(f"/accounts/{account.pk}", {"action": "disable"})
    before = len(answers.read_answers(registry()))
    given = {"all": "1", "kind": "to_do", "verdict": "no_error", "reason": "too late"}
    page = clerk.post("/police/deliveries/2013-Q2/answer", given)
    assert page.status_code == 302 and page.url.startswith("/sign-in")
    part = clerk.get("/police/deliveries/2013-Q2/findings", headers={"HX-Request": "true"})
    assert part.status_code == 401 and part.headers["HX-Redirect"].startswith("/sign-in")
    assert f'lang="{"sr-Latn" if language == "sr" else language}"' in clerk.get("/sign-in").content.decode(), (
        "in the language of the account"
    )
    assert len(answers.read_answers(registry())) == before
