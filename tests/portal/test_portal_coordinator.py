"""The coordinator's pages: the policy and its key, the preview of a release, the register of reports."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from portal_world import World
from release_world import release, signed, source, units

from portal.coordinator.releasing import summarise_release
from warehouse.disclosure import policy, signature

VICTIMS = "victims_identified"


@pytest.fixture
def unsigned(world: World) -> Iterator[World]:
    """The home before anybody signed a policy, and after."""
    home = world.place.home
    yield world
    for name in (policy.POLICY, policy.SIGNATURE, signature.PUBLIC_KEY):
        (home.root / name).unlink(missing_ok=True)
    for folder in (home.releases, home.root / "portal" / "releases"):
        shutil.rmtree(folder, ignore_errors=True)


def _hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found
    return found[1]


def test_the_policy_is_shown_and_the_key_is_offered_on_the_page_after_the_signature(unsigned: World) -> None:
    client, home = unsigned.client("coordinator"), unsigned.place.home.root
    before = client.get("/coordinator/releases").content.decode()
    assert "public_already:" in before, "the text that is signed"
    assert re.search(r"Smallest count shown separately: victims</dt><dd>5<", before)
    old = client.post("/coordinator/releases/policy", {"sha256": "of another text"}, follow=True).content.decode()
    assert "Nothing was signed" in old and not (home / signature.PUBLIC_KEY).exists()
    page = client.post("/coordinator/releases/policy", {"sha256": _hidden(before, "sha256")}).content.decode()
    assert "The policy is signed and in force." in page and "No policy is signed" not in page
    assert not re.search(r'<button class="primary" disabled', page), "a preview can follow at once"
    assert 'name="next" value="/coordinator/releases"' in page, "another language leads to the page, not to the form"
    offered = re.search(r'download="coordinator.pem" href="data:application/x-pem-file;base64,([^"]+)"', page)
    assert offered and base64.b64decode(offered[1]).startswith(b"-----BEGIN PRIVATE KEY-----")
    assert "BEGIN PRIVATE KEY" not in "".join(path.read_text("utf-8", "ignore") for path in home.glob("*") if path.is_file())
    assert "Download the key" not in client.get("/coordinator/releases").content.decode()
    assert policy.load_policy(home).signed_by == unsigned.account("coordinator").name


def test_a_countersignature_is_proposed_for_a_year(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.utils import timezone

    from portal.coordinator import views

    waiting = SimpleNamespace(
        id=1,
        rule="",
        institution="police",
        delivery="2013-Q1",
        reason="so it is",
        person="a clerk",
        answered_at=timezone.now(),
        record_key="",
        field="",
    )
    monkeypatch.setattr(views, "_list_answers_to_countersign", lambda: [waiting])
    until = date.fromisoformat(_hidden(world.client("coordinator").get("/coordinator/answers").content.decode(), "until"))
    assert until - timezone.localdate() == timedelta(days=365)


def test_the_summary_of_a_release_counts_what_is_preliminary_and_incomplete(tmp_path: Path) -> None:
    """By hand, from what was made up: 42 victims in 2012, 44 in 2013, which lacks a delivery and is not signed."""
    home = tmp_path / "home"
    signed(home, few=(VICTIMS,))
    counted = [*units(VICTIMS, 2012, (42, {})), *units(VICTIMS, 2013, (44, {}))]
    made_up = source(counted, (2012, 2013), {(VICTIMS, 2013): "police 2013-Q2 missing"})
    statistics = made_up.tables["statistics"]
    statistics["preliminary"] = statistics["period"] == "2013"
    made = release(home, "2014-03-31", made_up)
    found = summarise_release(made.files, made.name, statistics)
    main = {row["period"]: row for row in found["totals"] if (row["indicator"], row["table"]) == (VICTIMS, "offence_group")}
    assert {period: row["value"] for period, row in main.items()} == {"2012": 42, "2013": 44}
    flags = {period: (row["preliminary"], row["incomplete"], row["before"]) for period, row in main.items()}
    assert flags == {"2012": (False, False, None), "2013": (True, True, None)}
    whole = {row["period"]: row["status"] for row in found["totals"] if (row["indicator"], row["table"]) == (VICTIMS, "total")}
    assert whole == {"2012": "not_shown", "2013": "not_shown"}, "equal to that of one group, so it is not shown; the page says so"
    with (home / "releases" / "2014-03-31" / "public" / "cube.csv").open(encoding="utf-8") as file:
        printed = [row for row in csv.DictReader(file) if row["value"]]
    assert found["new"] == len(printed)
    assert found["incomplete"] == sum(row["incomplete"] == "true" for row in printed)
    assert found["preliminary"] == sum("2013" in row["period"] for row in printed)
    more = [*counted, *units(VICTIMS, 2012, (16, {}), start=100)]
    later = source(more, (2012, 2013), {(VICTIMS, 2013): "police 2013-Q2 missing"})
    made = release(home, "2014-06-30", later)
    revised = [row for row in summarise_release(made.files, made.name, later.tables["statistics"])["totals"] if row["before"] is not None]
    assert [(row["indicator"], row["cell"], row["period"], row["before"], row["value"]) for row in revised] == [
        (VICTIMS, "trafficking", "2012", 42, 58)
    ]


def test_a_preview_shows_the_changed_totals_and_a_release_can_be_downloaded(unsigned: World) -> None:
    from portal.coordinator import views

    client, home = unsigned.client("coordinator", language="sr"), unsigned.place.home
    assert client.get("/coordinator/releases/2014-03-31/download").status_code == 404
    client.post("/coordinator/releases/policy", {"sha256": _hidden(client.get("/coordinator/releases").content.decode(), "sha256")})
    shown = {"table": "offence_group", "cell": "trafficking", "value": 18, "before": 12, "status": "shown", "limit": None}
    hidden = {"table": "total", "cell": "", "value": None, "before": None, "status": "fewer_than", "limit": 20}
    totals = [
        {**shown, "indicator": VICTIMS, "period": "2012", "incomplete": False, "preliminary": True},
        {**hidden, "indicator": "cases_registered", "period": "2013", "incomplete": False, "preliminary": False},
    ]
    revised = {"indicator": VICTIMS, "measure": "harmonised", "table": "sex", "of": "2012", "cell": "male+unknown"}
    result = dict.fromkeys(("figures", "new", "revised", "merged", "withheld", "incomplete", "preliminary"), 1) | {
        "overlapping": [],
        "written": False,
        "signed_by": "A Coordinator",
        "signed_on": "2014-01-15",
        "totals": totals,
        "rows": [{**revised, "before": 1200, "after": 1300, "reasons": "new_records"}],
    }
    folder = home.root / "portal" / "releases" / f"2014-03-31-preview-{views._hash_inputs_of_preview()}"
    folder.mkdir(parents=True)
    (folder / "done.json").write_text(json.dumps(result), "utf-8")
    page = client.get("/coordinator/releases/2014-03-31").content.decode()
    assert '12 → <b>18</b> <span class="tag warning">privremeno</span>' in page
    assert "Manje od 20" in page and "Muškarci" not in page
    assert "Muški pol ili pol nepoznat" in page and "1\u2009200" in page, "labels in place of codes"
    made = release(home.root, "2014-03-31", source(units(VICTIMS, 2012, (12, {})), (2012,)))
    sent = client.get("/coordinator/releases/2014-03-31/download")
    with zipfile.ZipFile(io.BytesIO(sent.content)) as archive:
        assert {f"public/{name}": archive.read(name) for name in archive.namelist()} == {
            name: content for name, content in made.files.items() if name.startswith("public/")
        }, "the public part and nothing of the confidential one"
    assert "/coordinator/releases/2014-03-31/download" in client.get("/coordinator/releases").content.decode()


def test_a_release_that_is_being_created_is_on_the_page_of_releases(unsigned: World) -> None:
    client, folder = unsigned.client("coordinator"), unsigned.place.home.root / "portal" / "releases" / "2014-03-31-create-abc"
    assert "No releases yet." in client.get("/coordinator/releases").content.decode()
    folder.mkdir(parents=True)
    page = client.get("/coordinator/releases").content.decode()
    assert "/coordinator/releases/2014-03-31/creation/abc" in page and "No releases yet." not in page
    (folder / "failed.json").write_text("{}")
    assert "creation/abc" not in client.get("/coordinator/releases").content.decode()


def test_the_register_shows_what_was_due_before_the_first_run_on_demand(unsigned: World) -> None:
    client, home = unsigned.client("coordinator"), unsigned.place.home.root
    signed(home)
    release(home, "2014-03-31", source(units(VICTIMS, 2013, (12, {})), (2013,)))
    assert "Record as sent" not in client.get("/coordinator/reports").content.decode(), "a home of the simulator: all were due long ago"
    page = client.get("/coordinator/reports?all").content.decode()
    assert "Record as sent" in page
    waiting = page.count("Record as sent")
    form = {name: _hidden(page, name) for name in ("audience", "institution", "period")}
    answer = client.post("/coordinator/reports/sent", {**form, "to": "Office", "day": "2014-06-01", "all": "1"})
    assert answer.headers["Location"] == "/coordinator/reports?all"
    assert client.get("/coordinator/reports?all").content.decode().count("Record as sent") == waiting - 1
    assert unsigned.audit()[-1][0] == "coordinator@demo.invalid", "the account, not the user of the server"
