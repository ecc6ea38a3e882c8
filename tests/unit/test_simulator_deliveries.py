"""The simulator writes deliveries in the forms of docs/reference/deliveries.md, the same for the same arguments, and overwrites nothing."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import sqlite3
from collections import Counter
from pathlib import Path

import openpyxl
import pytest
from lxml import etree
from plain_reading import rows

from sources.simulator import simulate
from sources.simulator.settings import Noise

SPEC_FILES = {"rastet.csv", "personat.csv", "raporti.xlsx", "psh.sqlite", "smil.xml", "shkk.xlsx"}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clean") / "set"
    simulate(folder, seed=5, start=2018, years=2, cases_per_year=60, noise="clean")
    return folder


@pytest.fixture(scope="module")
def typical(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("typical") / "set"
    simulate(folder, seed=5, years=2, cases_per_year=100, noise="typical")
    return folder


def _hashes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("noise", ["clean", "hard"])
def test_the_same_arguments_give_the_same_bytes(tmp_path: Path, noise: Noise) -> None:
    for name in "ab":
        simulate(tmp_path / name, seed=9, years=1, cases_per_year=25, noise=noise)
    assert _hashes(tmp_path / "a") == _hashes(tmp_path / "b")


def test_another_seed_gives_another_world(tmp_path: Path) -> None:
    for seed in (1, 2):
        simulate(tmp_path / str(seed), seed=seed, years=1, cases_per_year=10, noise="clean")
    assert _hashes(tmp_path / "1") != _hashes(tmp_path / "2")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(ValueError, match="not empty"):
        simulate(tmp_path, years=1, cases_per_year=5)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("wrong", [{"years": 0}, {"cases_per_year": 0}, {"noise": "loud"}])
def test_arguments_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be|unknown"):
        simulate(tmp_path / "set", **wrong)  # type: ignore[arg-type]


def test_a_clean_set_has_every_delivery_once_and_no_defect(clean: Path) -> None:
    folders = [path for path in (clean / "inbox").glob("*/*") if path.is_dir()]
    assert len(folders) == 5 * 8
    assert all(re.fullmatch(r"20\d\d-Q[1-4]", path.name) for path in folders)
    assert {path.name for path in (clean / "inbox").rglob("*") if path.is_file()} == SPEC_FILES
    assert rows(clean / "truth/defects.csv") == []
    assert json.loads((clean / "truth/defect_counts.json").read_text()) == {}
    assert {row["note"] for row in rows(clean / "truth/arrivals.csv")} == {""}


def test_police_files_have_the_agreed_form(clean: Path) -> None:
    raw = (clean / "inbox/police/2019-Q1/rastet.csv").read_bytes()
    lines = raw.decode("cp1250").split("\r\n")
    assert lines[0].startswith("Nr_rastit;Data_raportimit;Data_e_vepres") and lines[-1] == ""
    table = list(csv.DictReader(lines, delimiter=";"))
    for row in table:
        assert re.fullmatch(r"20\d\d-(PR|PZ|PE|GL|MJ|MV|FE|GJ)-\d{5}", row["Nr_rastit"])
        assert re.fullmatch(r"Nën hetim|Dërguar në prokurori|I mbyllur|Bashkuar me 20\d\d-[A-Z]{2}-\d{5}", row["Statusi"])
        assert re.fullmatch(r"(PP\.II?\.nr\.\d+/20\d\d)?", row["Nr_PP"])


def test_inspectorate_workbook_has_its_title_block_header_and_total(clean: Path) -> None:
    for path in sorted((clean / "inbox/inspectorate").glob("*/raporti.xlsx")):
        sheet = openpyxl.load_workbook(path).worksheets[0]
        values = [row[0] for row in sheet.iter_rows(max_col=1, values_only=True)]
        assert sheet.title == "Lëndët" and values[3] is None and values[4] == "Nr."
        assert values[-1] == f"Gjithsej: {len(values) - 6}"


def test_the_prosecutions_database_is_whole(clean: Path) -> None:
    for path in sorted((clean / "inbox/prosecution").glob("*/psh.sqlite")):
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        without_party = "SELECT count(*) FROM akuza WHERE pala_id NOT IN (SELECT pala_id FROM pala)"
        assert connection.execute(without_party).fetchone() == (0,)
        charged = "SELECT count(*) FROM pala WHERE roli = 'D' AND pala_id NOT IN (SELECT pala_id FROM akuza)"
        assert connection.execute(charged).fetchone() == (0,)
        connection.close()


def test_courts_and_prisons_have_the_agreed_form(clean: Path) -> None:
    for path in sorted((clean / "inbox/courts").glob("*/smil.xml")):
        root = etree.parse(str(path)).getroot()
        assert root.tag == "{urn:kgjk:smil:1}eksporti" and root.get("periudha") == path.parent.name
    for path in sorted((clean / "inbox/corrections").glob("*/shkk.xlsx")):
        book = openpyxl.load_workbook(path)
        assert len(book.worksheets) == 10
        assert all(sheet["A1"].value == "ID" and sheet["N1"].value == "Data e pranimit" for sheet in book)


def test_the_world_is_rich(clean: Path) -> None:
    """People come again, matters are merged and separated, judgments appealed, prisoners moved; two codes; files from before the start."""
    records = rows(clean / "truth/records.csv")
    cases: dict[str, set[str]] = {}
    for row in records:
        if row["person_id"]:
            cases.setdefault(row["person_id"], set()).add(row["case_id"])
    assert any(len(found) > 1 for found in cases.values())
    assert any(row["case_id"] and row["record_key"].startswith("2017-") for row in records)
    statuses: Counter[str] = Counter()
    for path in sorted((clean / "inbox/prosecution").glob("*/psh.sqlite")):
        connection = sqlite3.connect(path)
        statuses.update(row[0] for row in connection.execute("SELECT statusi FROM lenda UNION ALL SELECT lloji FROM vendimi"))
        statuses.update(row[0] for row in connection.execute("SELECT ligji FROM akuza UNION ALL SELECT burimi FROM lenda"))
        connection.close()
    assert {"HET", "PEZ", "HUD", "AKT", "PUSH", "BASH", "FILL", "VEC", "KPRK2012", "KPRK2019", "LRQP2009", "PK", "IPK", "TJ"} <= set(
        statuses
    )
    xml = "".join(path.read_text("utf-8") for path in sorted((clean / "inbox/courts").glob("*/smil.xml")))
    assert re.search(r"</aktgjykimi>\s*<aktgjykimi|<aktgjykimi[^>]*/>\s*<aktgjykimi", xml), "no second judgment in one file"
    assert {"DEN", "LIR", "REF"} <= set(re.findall(r'aktgjykimi lloji="(\w+)"', xml))


def test_every_kind_of_defect_of_the_samples_occurs(shared: Path, typical: Path, tmp_path: Path) -> None:
    wanted: set[str] = set()
    for sample in ("sample-2012", "sample-2018"):
        wanted |= set(json.loads((shared / "deliveries" / sample / "truth/defect_counts.json").read_text("utf-8")))
    found = set(json.loads((typical / "truth/defect_counts.json").read_text("utf-8")))
    simulate(tmp_path / "hard", seed=6, years=2, cases_per_year=100, noise="hard")
    found |= set(json.loads((tmp_path / "hard/truth/defect_counts.json").read_text("utf-8")))
    assert wanted - found == set()
    assert {"name_nickname", "name_mojibake", "two_references", "pn_of_parent", "file_wrong_content"} <= found


def test_noise_brings_versions_late_and_missing_deliveries(typical: Path) -> None:
    names = {f"{path.parent.name}/{path.name}" for path in (typical / "inbox").glob("*/*")}
    assert sum("_v" in name for name in names) >= 8
    assert len({name for name in names if name.startswith("inspectorate/") and "_v" not in name}) == 7
    arrivals = rows(typical / "truth/arrivals.csv")
    assert {"corrected version", "late, after the next quarter"} <= {row["note"] for row in arrivals}
    assert {f"{row['institution']}/{row['delivery']}" for row in arrivals} == names
    assert [row["arrived"] for row in arrivals] == sorted(row["arrived"] for row in arrivals)


def test_a_delivery_sent_twice_has_the_same_bytes(typical: Path) -> None:
    twice = next(row for row in rows(typical / "truth/defects.csv") if row["kind"] == "delivered_twice")
    period, _, version = twice["delivery"].partition("_v")
    again = f"{period}_v{int(version or 1) + 1}"
    folder = typical / "inbox" / twice["institution"]
    assert _hashes(folder / twice["delivery"]) == _hashes(folder / again)
