"""Persons, cases and pairs explained: what a steward and an analyst read, and what neither may see."""

from __future__ import annotations

import re
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from explain_world import AGAIN, CASE, COURT, SECRETS, build, case_id, person_id
from lxml import html
from sqlalchemy import select

from harmonia.cli import main as cli
from harmonia.explain.linkage import select_pair_decisions
from harmonia.explain.published import open_home
from harmonia.home import Home
from harmonia.registry import open_registry
from harmonia.registry.tables import Audit, Judgement
from pipelines.resources.workplace import Workplace


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return build(tmp_path_factory.mktemp("explain") / "home")


@pytest.fixture
def typed(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Type `harmonia explain …` over the home: exit code, what it printed, what it complained."""

    def run(*arguments: str, at: Path | None = None) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["harmonia", "explain", *arguments, "--home", str(at or home.root)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def audits(home: Home) -> list[tuple[str, str]]:
    registry = open_registry(home.registry_url)
    try:
        with registry.read() as session:
            return [(a.action, a.subject) for a in session.scalars(select(Audit).order_by(Audit.id))]
    finally:
        registry.close()


def test_weights_are_those_that_the_run_decided_on(home: Home) -> None:
    with open_home(Workplace.from_paths(None, home.root)) as published:
        rows = [
            d
            for d in select_pair_decisions(published.decisions, "person", list(published.linkage_weights._rows), inside=True)
            if d.weight > -100
        ]
        weighed = published.linkage_weights.weigh_pairs([(d.a, d.b) for d in rows])
        assert published.linkage_weights.matches_last_run
    assert len(rows) > 5
    assert [w.total for w in weighed] == pytest.approx([d.weight for d in rows], abs=0.006)


def test_a_person_shows_every_record_and_what_ties_them(home: Home, typed) -> None:
    code, out, _ = typed("person", person_id(home, f"{CASE}/1"))
    assert code == 0
    for key in (f"{CASE}/1", f"{AGAIN}/1", "100", f"{COURT}/1"):
        assert key in out
    assert "4 records connected by 3 links" in out
    assert "a matching initial" in out


def test_a_twin_in_the_same_file_is_near_and_kept_apart_by_a_rule(home: Home, typed) -> None:
    _, out, _ = typed("person", person_id(home, f"{CASE}/1"))
    near = out.split("Near matches, not joined")[1].split("Judgements")[0]
    assert "rule: one file names" in near
    assert person_id(home, f"{CASE}/2") in near


def test_an_old_id_explains_the_one_it_leads_to(home: Home, typed) -> None:
    now = case_id(home, AGAIN)
    registry = open_registry(home.registry_url)
    with open_home(Workplace.from_paths(None, home.root)) as published:
        (old,) = (e.id for e in published.list_redirected_to(now))
    registry.close()
    code, out, _ = typed("case", old.lower().replace("c000", "c"))
    assert code == 0
    assert out.startswith(f"Case {now}")
    assert f"{old} was merged into {now}" in out
    assert "left " + old in out


def test_a_case_shows_files_persons_and_the_run_s_own_reasons(home: Home, typed) -> None:
    code, out, _ = typed("case", case_id(home, CASE))
    assert code == 0
    assert "4 files connected" in out
    assert "one file cites the other" in out
    assert "merged into" in out
    for key in (f"{CASE}/1", f"{CASE}/2"):
        assert person_id(home, key) in out


def test_a_pair_adds_up_to_its_decision(typed) -> None:
    code, out, _ = typed("pair", f"police:{CASE}/1", f"courts:{COURT}/1")
    assert code == 0
    assert "Joined: the pair weighs" in out
    said = float(re.search(r"weighs ([+-][\d.]+) bits", out)[1])  # type: ignore[index]
    steps = [float(x) for x in re.findall(r"^  (?!one person).{0,40}? ([+-]\d+\.\d) \|", out, flags=re.MULTILINE)]
    assert sum(steps) == pytest.approx(said, abs=0.05 * (len(steps) + 1))
    assert "hidden" in out


def test_two_persons_of_one_file_are_never_joined_and_the_rule_is_named(typed) -> None:
    _, out, _ = typed("pair", f"police:{CASE}/1", f"police:{CASE}/2")
    assert "Not joined" in out
    assert "rule: one file names them as two persons" in out


def test_a_pair_of_files_is_explained_by_the_evidence_written_down(typed) -> None:
    code, out, _ = typed("pair", f"police:{CASE}", "prosecution:10")
    assert code == 0
    assert "Are these one case?" in out
    assert "one file cites the other" in out


@pytest.mark.parametrize("what", ["person", "case", "pair"])
def test_without_names_nothing_personal_is_shown(home: Home, typed, tmp_path: Path, what: str) -> None:
    kind = what
    ids = {"person": (person_id(home, f"{CASE}/1"),), "case": (case_id(home, CASE),), "pair": (f"police:{CASE}/1", "prosecution:100")}[kind]
    page, before = tmp_path / "page.html", audits(home)
    _, text, _ = typed(kind, *ids)
    assert typed(kind, *ids, "--html", str(page))[0] == 0
    for secret in SECRETS:
        assert secret not in text
        assert secret not in page.read_text()
    assert audits(home) == before


def test_with_names_the_page_is_private_and_the_look_is_written_down(home: Home, typed, tmp_path: Path) -> None:
    page, person = tmp_path / "named.html", person_id(home, f"{CASE}/1")
    assert typed("person", person, "--names", "--html", str(page))[0] == 0
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert "Arben Krasniqi" in page.read_text()
    assert "1979-02-11" in page.read_text()
    assert audits(home)[-1] == ("explain person", person)
    assert not [path for path in tmp_path.iterdir() if path != page]


def test_the_page_needs_no_other_file_and_can_be_read_by_anyone(home: Home, typed, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    typed("person", person_id(home, f"{CASE}/1"), "--html", str(page))
    tree = html.fromstring(page.read_text())
    assert not tree.xpath("//script | //link | //img | //iframe | //@onload | //@onclick")
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!#)", page.read_text())
    assert tree.get("lang") == "en"
    assert tree.xpath("//meta[@http-equiv='Content-Security-Policy']")
    charts = tree.xpath("//svg")
    assert charts
    assert all(chart.get("role") == "img" and chart.get("aria-label") for chart in charts)
    assert all(table.xpath("caption") and table.xpath("thead//th[@scope='col']") for table in tree.xpath("//table"))


def test_judgements_are_reported_with_who_when_and_why(home: Home, typed) -> None:
    registry = open_registry(home.registry_url)
    sides = {"institution_a": "police", "record_key_a": f"{CASE}/1", "institution_b": "police", "record_key_b": f"{CASE}/2"}
    pair = {"kind": "person", **sides}
    moment = datetime(2014, 5, 6, 7, 8, tzinfo=UTC)
    with registry.write() as session:
        session.add(Judgement(**pair, verdict="same", steward="Vesa", decided_at=moment, why="a typing error"))
        session.add(Judgement(**pair, verdict="different", steward="Vesa", decided_at=moment, why="two brothers"))
        session.add(Judgement(**pair, verdict="same", steward="Driton", decided_at=moment, why="same address"))
    registry.close()
    _, out, _ = typed("person", person_id(home, f"{CASE}/1"))
    said = out.split("\nJudgements")[1]
    for word in ("Vesa", "2014-05-06 07:08", "two brothers", "superseded", "current", "Stewards disagree about 1 pair"):
        assert word in said


def test_what_stewards_keep_apart_is_said_before_any_rule(home: Home, typed) -> None:
    registry = open_registry(home.registry_url)
    sides = {"institution_a": "police", "record_key_a": "2013-GL-00010", "institution_b": "police", "record_key_b": "2013-GL-00011"}
    people = {name: f"{key}/1" if name.startswith("record") else key for name, key in sides.items()}
    with registry.write() as session:
        for kind, pair in (("case", sides), ("person", people)):
            moment = datetime(2014, 5, 6, tzinfo=UTC)
            session.add(Judgement(kind=kind, **pair, verdict="different", steward="Vesa", decided_at=moment, why="seen both"))
    registry.close()
    _, out, _ = typed("pair", "police:2013-GL-00010/1", "police:2013-GL-00011/1")
    assert "stewards judged 2013-GL-00010/1 and 2013-GL-00011/1 to be two persons" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("person", "P9999999"), "the newest person id is P"),
        (("person", "C0000001"), "type `harmonia explain case C0000001`"),
        (("case", "P0000001"), "type `harmonia explain person P0000001`"),
        (("person", "Arben"), "is not a person id"),
        (("person", "P\u0661"), "is not a person id"),
        (("pair", "police:2013-XX-1", "prosecution:100"), "is unknown in"),
        (("pair", "customs:1", "prosecution:100"), "type INSTITUTION:KEY"),
        (("pair", "police", "prosecution:100"), "type INSTITUTION:KEY"),
        (("pair", f"police:{CASE}", "prosecution:100"), "one is a case record and the other a person record"),
        (("pair", "prosecution:100", "prosecution:100"), "is on both sides"),
        (("pair", f"police:{CASE}/1", "prosecution:100", "--as", "case"), "are not both case records"),
        (("person", "P0000001", "--html", "/nowhere/at/all.html"), "cannot be written"),
    ],
)
def test_what_cannot_be_explained_is_one_clear_line(typed, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = typed(*arguments)
    assert code == 1
    assert out == ""
    assert message in " ".join(err.split())
    assert len(err.strip().splitlines()) == 1


def test_a_home_never_run_is_said_and_nothing_is_made_there(typed, tmp_path: Path) -> None:
    for place in (tmp_path / "none", tmp_path):
        code, _, err = typed("person", "P0000001", at=place)
        assert code == 1
        assert "harmonia run --inbox DIR" in " ".join(err.split())
    assert not list(tmp_path.iterdir())


def test_a_lake_that_was_emptied_is_said(home: Home, typed, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(home.root, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "lake" / "canonical")
    code, _, err = typed("person", "P0000001", at=tmp_path / "copy")
    assert code == 1
    assert "the lake was emptied" in " ".join(err.split())
