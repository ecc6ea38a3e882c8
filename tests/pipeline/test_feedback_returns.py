"""From the workbook that a run wrote to the state in the next run; and a delivery that nobody can read."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import dagster as dg
import openpyxl
import pytest
from acting_world import acting_as
from pipeline_world import Ran, published
from typer.testing import CliRunner

from harmonia.cli.main import app
from harmonia.feedback.texts import load_feedback_texts
from harmonia.feedback.workbook import COLUMNS, HEADER
from pipelines.checks.delivery_tolerances import CHECK
from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything

pytestmark = pytest.mark.slow
SOFFICE = shutil.which("soffice")


def fill(path: Path, out: Path, verdict: str) -> int:
    """Answer every row of every unit in its own language; returns how many."""
    book, n = openpyxl.load_workbook(path), 0
    for sheet in book:
        head = [cell.value for cell in sheet[HEADER + 1]] if sheet.max_row > HEADER else []
        language = next((tongue for tongue in ("sq", "sr") if load_feedback_texts(tongue)["answer"] in head), None)
        for row in range(HEADER + 2, sheet.max_row + 1) if language else ():
            words = load_feedback_texts(str(language))
            for name, value in (("answer", words["answers"][verdict]), ("reason", "sipas dosjes"), ("person", "Drita")):
                sheet.cell(row, list(COLUMNS).index(name) + 1).value = value
            n += 1
    book.save(out)
    return n


@pytest.mark.parametrize("form", ["xlsx", "ods"])
def test_a_workbook_saved_by_libreoffice_is_read_back(few: Ran, tmp_path: Path, form: str) -> None:
    if SOFFICE is None:
        pytest.skip("LibreOffice is not on this machine (Debian: apt install libreoffice-calc)")
    home = few.place.home.root
    count = fill(home / "feedback" / "police" / "2013-Q1" / "findings.xlsx", tmp_path / "filled.xlsx", "announced")
    convert = [SOFFICE, "--headless", f"-env:UserInstallation=file://{tmp_path}/profile", "--convert-to", form, "--outdir"]
    subprocess.run([*convert, str(tmp_path / "out"), str(tmp_path / "filled.xlsx")], check=True, capture_output=True, timeout=240)
    done = CliRunner().invoke(app, ["feedback", "import", str(tmp_path / "out" / f"filled.{form}"), "--home", str(home)])
    assert f"{count} answers entered" in done.output, done.output
    assert count > 0


def test_an_answer_shows_in_the_next_run_and_a_bad_delivery_of_one_blocks_no_other(few: Ran, tmp_path: Path) -> None:
    home, inbox = few.place.home.root, tmp_path / "inbox"
    before = json.loads((home / "feedback" / "police" / "2013-Q1" / "findings.json").read_text("utf-8"))
    fill(home / "feedback" / "police" / "2013-Q1" / "findings.xlsx", tmp_path / "filled.xlsx", "accepted")
    assert "answers entered" in CliRunner().invoke(app, ["feedback", "import", str(tmp_path / "filled.xlsx"), "--home", str(home)]).output
    numbers = [str(n + 1) for n in range(3)]
    acting_as(home, "arta@example.org")
    signed = CliRunner().invoke(app, ["feedback", "countersign", *numbers, "--until", "2013-12-31", "--home", str(home)])
    assert "3 answers countersigned" in signed.output

    shutil.copytree(few.place.inbox, inbox)
    (inbox / "police" / "2013-Q2").mkdir()
    (inbox / "police" / "2013-Q2" / "rastet.csv").write_bytes(b"\x00\xff nothing \x00" * 50)
    place = Workplace.from_paths(inbox, home)
    outcome = run_everything(place, SilentListener())

    folder = home / "feedback" / "police" / "2013-Q2"
    assert json.loads((folder / "receipt.json").read_text("utf-8"))["state"] == "unreadable"
    assert (folder / "receipt.html").is_file()
    assert "prosecution" in set(published(place)["lineage"]["institution"])
    after = json.loads((home / "feedback" / "police" / "2013-Q1" / "findings.json").read_text("utf-8"))
    assert (before["counts"]["accepted_as_is"], after["counts"]["accepted_as_is"]) == (0, 3)
    assert (published(place)["findings"]["state"] == "accepted_as_is").sum() == 3, "counted where everybody sees it"
    with dg.DagsterInstance.from_config(str(place.home.dagster)) as instance:
        results, before_that = {}, {}
        for institution in ("police", "prosecution"):
            key = dg.AssetCheckKey(dg.AssetKey([institution, "delivery"]), CHECK)
            for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=20):
                of = results if record.run_id == outcome.run_id else before_that
                of[institution, record.partition] = record.status.value
        assert results["police", "2013-Q2"] == "FAILED"
        assert set(results) == {("police", "2013-Q1"), ("police", "2013-Q2")}, "whose feedback changed"
        assert ("prosecution", "2013-Q1") in before_that, "whose feedback is unchanged: the earlier one remains"
