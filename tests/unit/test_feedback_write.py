"""The report of one delivery: what it says, to whom, and how it is stored."""

from __future__ import annotations

import json
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from volume import examples

import schemas
from harmonia.errors import HarmoniaError
from harmonia.feedback import page, report, texts
from harmonia.feedback.write import write_feedback, write_receipt
from schemas import findings
from schemas.findings import rules

SCHEMA = json.loads((Path(schemas.__file__).parent / "feedback.schema.json").read_text("utf-8"))
NASTY = [
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    '"><img src=x onerror=alert(1)>',
    "\x00\x07\x1b[31m",
    "\u202eabc\u2066",
    "{{ 7*7 }}",
]


def files(**counts: int) -> pd.DataFrame:
    row = {"file": "rastet.csv", "state": "complete", "read": 0, "accepted": 0, "superseded": 0, "withdrawn": 0, "quarantined": 0}
    return pd.DataFrame([{**row, "structural": 0, **counts}])


def row(n: int, rule: str = "cell-date-impossible", **more: object) -> dict[str, object]:
    base = {"institution": "police", "delivery": "2012-Q4", "file": "rastet.csv", "line": n, "record_key": f"2012-PR-{n:05}"}
    return {**base, "field": "Data_raportimit", "rule": rule, "value": f"31.02.{n}", **more}


def found(*rows: dict[str, object], state: str = "new") -> pd.DataFrame:
    return findings.build_findings(rows).assign(state=state)


class Tags(HTMLParser):
    """Collects the tags, ids, links and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def written(home: Path, of_it: pd.DataFrame, **more: object) -> Path:
    arguments: dict[str, object] = {"files": files(read=3, accepted=2, structural=1), "language": "sq", **more}
    return write_feedback(home, "police", "2012-Q4", findings=of_it, **arguments)[0].parent  # type: ignore[arg-type]


def test_files_are_for_the_running_user_alone_and_named_by_language(tmp_path: Path) -> None:
    folder = written(tmp_path, found(row(1)))
    assert folder == tmp_path / "feedback" / "police" / "2012-Q4"
    pages = {f"{name}{tongue}.html" for name in ("findings", "letter", "receipt") for tongue in ("", ".sr", ".en")}
    assert {path.name for path in folder.iterdir()} == pages | {"receipt.json", "findings.json", "findings.xlsx", ".made"}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())
    assert all(path.stat().st_mode & 0o777 == 0o700 for path in (folder, folder.parent, folder.parent.parent))
    assert '<html lang="sq">' in (folder / "findings.html").read_text("utf-8")
    assert '<html lang="sr-Latn">' in (folder / "findings.sr.html").read_text("utf-8")


def test_json_says_everything_and_holds_to_the_published_schema(tmp_path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    of_it = found(*(row(n, code) for n, code in enumerate(rules())), row(7, line=None, file=None, record_key=None, field=None, value=None))
    folder = written(tmp_path, of_it, received=date(2013, 1, 14))
    said = json.loads((folder / "findings.json").read_text("utf-8"))
    jsonschema.validate(said, SCHEMA)
    jsonschema.validate(json.loads((folder / "receipt.json").read_text("utf-8")), SCHEMA)
    assert len(said["findings"]) == len(of_it)
    assert said["received"] == "2013-01-14"
    assert sum(line["count"] for line in said["summary"]) == len(of_it)


def test_no_finding_worse_than_info_is_left_out_of_the_page() -> None:
    of_it = found(*(row(n, "cell-date-impossible" if n % 2 else "cell-missing") for n in range(1000)))
    shown = page.render_pages(report.make_report("police", "2012-Q4", files(), of_it, "sq"))["findings.html"]
    assert all(f"2012-PR-{n:05}" in shown for n in range(1000))


def test_what_the_form_permits_is_one_line_for_each_rule_and_column() -> None:
    of_it = found(*(row(n, "cell-reference-spelling", field="Nr_PP") for n in range(300)))
    said = report.make_report("police", "2012-Q4", files(), of_it, "en")
    shown = page.render_pages(said)["findings.html"]
    assert ">300</td>" in shown
    assert shown.count("2012-PR-") == 0
    assert len(json.loads(report.convert_to_json(said))["findings"]) == 300
    assert texts.load_feedback_texts("en")["none"] in shown


def test_what_only_the_institution_can_check_is_listed_one_by_one_and_is_no_fault() -> None:
    of_it = found(*(row(n, "check-birth-date", field="Data_lindjes", value=None) for n in range(30)))
    said = report.make_report("police", "2012-Q4", files(), of_it, "en")
    assert (said.finding_counts["to_check"], said.finding_counts["info"]) == (30, 0)
    shown = page.render_pages(said)["findings.html"]
    assert all(f"2012-PR-{n:05}" in shown for n in range(30))
    assert texts.load_feedback_texts("en")["to_check_note"] in shown


def test_consequences_stand_apart_from_causes() -> None:
    of_it = found(row(1), row(2, "cross-parent-missing"))
    said = report.make_report("police", "2012-Q4", files(), of_it, "en")
    assert (said.finding_counts["error"], said.finding_counts["consequences"]) == (1, 1)
    shown = page.render_pages(said)["findings.html"]
    assert shown.index(texts.load_feedback_texts("en")["consequences_note"]) < shown.index("2012-PR-00002")
    assert shown.index("2012-PR-00001") < shown.index(texts.load_feedback_texts("en")["consequences_note"])


def test_what_was_fixed_is_reported_and_counts_as_nothing_else() -> None:
    of_it = pd.concat([found(row(1)), found(row(2), state="fixed")], ignore_index=True)
    said = report.make_report("police", "2012-Q4", files(), of_it, "en")
    assert (said.finding_counts["error"], said.finding_counts["fixed"]) == (1, 1)
    assert texts.load_feedback_texts("en")["fixed"] in page.render_pages(said)["findings.html"]


@pytest.mark.parametrize("value", NASTY)
def test_delivered_text_is_shown_and_never_run(value: str) -> None:
    everywhere = row(1, value=value, file=value, part=value, record_key=value, field=value, detail=value)
    of_it = found(everywhere, {**everywhere, "rule": "cell-place-unknown"})
    harmless = Tags(page.render_pages(report.make_report("police", "2012-Q4", files(), found(row(1)), "en"))["findings.html"])
    shown = page.render_pages(report.make_report("police", "2012-Q4", files(file=value, state=value), of_it, "en"))["findings.html"]
    tags = Tags(shown)
    assert set(tags.tags) <= set(harmless.tags)
    assert not [name for name, _ in tags.attributes if name.startswith("on")]
    assert not set(shown) & {"\x00", "\x07", "\x1b", "\u202e", "\u2066"}
    assert texts.make_visible(value) in tags.text


@settings(max_examples=examples(15), deadline=None)
@given(st.text(max_size=60), st.text(max_size=30))
def test_any_delivered_text_gives_valid_json_and_a_page(value: str, name: str) -> None:
    said = report.make_report("police", "2012-Q4", files(file=name), found(row(1, value=value, field=name)), "sr")
    back = json.loads(report.convert_to_json(said).encode("utf-8", "backslashreplace").decode("utf-8"))
    jsonschema.validate(back, SCHEMA)
    assert back["findings"][0]["value"] == value
    assert Tags(page.render_pages(said)["findings.html"]).tags[0] == "html"


def test_the_page_needs_nothing_from_elsewhere() -> None:
    shown = page.render_pages(report.make_report("police", "2012-Q4", files(), found(row(1)), "sq"))
    for text in shown.values():
        tags = Tags(text)
        assert not {"script", "img", "link", "iframe", "form"} & set(tags.tags)
        links = {value for name, value in tags.attributes if name in ("href", "src")}
        assert {link for link in links if link and not link.startswith("#")} <= {*shown, "findings.xlsx"}
        anchors = {f"#{value}" for name, value in tags.attributes if name == "id"}
        assert {link for link in links if link and link.startswith("#")} <= anchors


def test_counts_that_do_not_add_up_are_marked() -> None:
    words = texts.load_feedback_texts("en")["adds_up_not"]
    good = report.make_report("police", "2012-Q4", files(read=3, accepted=2, structural=1), found(), "en")
    bad = report.make_report("police", "2012-Q4", files(read=3, accepted=2), found(), "en")
    assert words not in page.render_pages(good)["findings.html"]
    assert words in page.render_pages(bad)["findings.html"]


def test_a_second_run_changes_no_byte_and_no_time(tmp_path: Path) -> None:
    folder = written(tmp_path, found(row(2), row(1)))
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes()) for path in folder.iterdir()}
    written(tmp_path, found(row(1), row(2)))
    assert before == {path: (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes()) for path in folder.iterdir()}


def test_a_file_that_others_could_read_is_closed_and_an_old_language_goes(tmp_path: Path) -> None:
    folder = written(tmp_path, found(row(1)))
    (folder / "findings.html").chmod(0o644)
    folder.chmod(0o755)
    written(tmp_path, found(row(1)))
    assert (folder / "findings.html").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    written(tmp_path, found(row(1)), language="en")
    assert {path.name for path in folder.glob("*.en.html")} == set()
    assert (folder / "findings.sq.html").is_file()


def test_a_delivery_that_nobody_can_read_gets_its_receipt(tmp_path: Path) -> None:
    paths = write_feedback(tmp_path, "courts", "2012-Q1", files().iloc[:0], found(), "sq")
    said = json.loads(paths[0].read_text("utf-8"))
    jsonschema.validate(said, SCHEMA)
    assert (said["state"], said["files"]) == ("unreadable", [])


def test_size_and_hash_stand_in_the_receipt_where_they_are_known(tmp_path: Path) -> None:
    of_it = files(read=1, accepted=1).assign(size=12, sha256="0" * 64)
    paths = write_feedback(tmp_path, "courts", "2012-Q1", of_it, found(), "sq")
    assert json.loads(paths[0].read_text("utf-8"))["files"][0]["size"] == 12


def test_a_receipt_is_there_before_anything_was_read(tmp_path: Path) -> None:
    came = files().assign(size=12, sha256="0" * 64)
    paths = write_receipt(tmp_path, "police", "2012-Q4", came, "sq", date(2013, 1, 14))
    said = json.loads(paths[0].read_text("utf-8"))
    jsonschema.validate(said, SCHEMA)
    assert (said["state"], said["counts"], said["report"]) == ("received", None, None)
    assert texts.load_feedback_texts("sq")["receipt"]["received_state"] in (tmp_path / "feedback/police/2012-Q4/receipt.html").read_text(
        "utf-8"
    )


def test_after_its_day_only_the_receipt_is_left(tmp_path: Path) -> None:
    folder = written(tmp_path, found(row(1)), received=date(2013, 1, 14), today=date(2013, 7, 13))
    assert (folder / "findings.xlsx").is_file()
    assert "13.07.2013" in (folder / "findings.html").read_text("utf-8"), "180 days after receipt"
    written(tmp_path, found(row(1)), received=date(2013, 1, 14), today=date(2013, 7, 14))
    assert {path.name.split(".")[0] for path in folder.glob("[!.]*")} == {"receipt"}


def test_deadline_and_way_of_sending_are_said(tmp_path: Path) -> None:
    folder = written(tmp_path, found(row(1)), received=date(2013, 1, 14))
    shown = (folder / "findings.html").read_text("utf-8")
    assert "13.02.2013" in shown
    assert texts.load_feedback_texts("sq")["send"] in shown


def test_the_letter_says_what_moves_what_is_overdue_and_how_it_went() -> None:
    of_it = pd.concat([found(row(1)), found(row(2), state="remains").assign(since="2012-Q2")], ignore_index=True)
    moves = pd.DataFrame({"indicator": ["cases_registered"], "period": ["2012-Q4"], "findings": [2]})
    went = pd.DataFrame({"delivery": ["2012-Q3", "2012-Q4"], "records": [200, 100], "open": [10, 2], "fixed": [0, 8]})
    said = report.make_report("police", "2012-Q4", files(), of_it, "en", foremost=moves, trend=went)
    letter = Tags(page.render_pages(said)["letter.html"]).text
    assert "Cases registered" in letter
    assert "the oldest since 2012-Q2" in letter
    assert "5.0" in letter and "2.0" in letter, "open findings for 100 records"


def test_what_is_no_error_does_not_come_again_and_is_counted() -> None:
    of_it = found(row(1), row(2)).assign(answer=["no_error", None], state=["accepted_as_is", "new"])
    said = report.make_report("police", "2012-Q4", files(), of_it, "en")
    assert (said.finding_counts["no_error"], said.finding_counts["error"]) == (1, 1)
    assert "2012-PR-00001" not in page.render_pages(said)["findings.html"] + report.convert_to_json(said)


@pytest.mark.parametrize("name", ["..", "", "a/b", "a\0b"])
def test_nothing_is_written_outside_the_feedback(tmp_path: Path, name: str) -> None:
    with pytest.raises(HarmoniaError, match="rename the folder"):
        write_feedback(tmp_path, "police", name, files(), found(), "sq")


def test_an_unknown_institution_and_a_period_that_is_none_still_get_a_report(tmp_path: Path) -> None:
    paths = write_feedback(tmp_path, "polici\x07a", "2012-Q9", files(), found(row(1)), "en")
    said = json.loads(next(path for path in paths if path.name == "findings.json").read_text("utf-8"))
    jsonschema.validate(said, SCHEMA)
    assert (said["period"], said["version"]) == (None, None)


def test_a_folder_where_a_file_should_be_is_one_clear_line(tmp_path: Path) -> None:
    folder = written(tmp_path, found(row(1)))
    (folder / "findings.json").unlink()
    (folder / "findings.json").mkdir()
    with pytest.raises(HarmoniaError, match="folder is in the place of the file"):
        written(tmp_path, found(row(1)))
    assert not list(folder.glob(".*.tmp"))


def test_a_language_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one of sq, sr, en"):
        written(tmp_path, found(row(1)), language="de")


def test_the_words_are_there_in_every_language() -> None:
    def keys(words: object, path: str = "") -> set[str]:
        if isinstance(words, dict):
            return {path} | {key for name, value in words.items() for key in keys(value, f"{path}.{name}")}
        return {f"{path}[{len(words)}]"} if isinstance(words, list) else {path}

    assert keys(texts.load_feedback_texts("sq")) == keys(texts.load_feedback_texts("sr")) == keys(texts.load_feedback_texts("en"))
