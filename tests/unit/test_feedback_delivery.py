"""The feedback of a whole delivery, from its bytes to the state of each finding."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pandas as pd

from harmonia.feedback.deliveries import write_reports_on_not_landed
from harmonia.feedback.figures import find_affected_figures, find_most_affected_figures
from harmonia.feedback.finding_states import determine_finding_states
from harmonia.feedback.trend import list_delivery_trends
from pipelines.harmonisation.stage import harmonise
from pipelines.record_status import RecordStatuses, resolve_record_statuses
from pipelines.validation import validate
from schemas import findings
from sources.readers.result import SourceFile
from sources.reading import read_delivery

CASE = "Nr_rastit;Data_raportimit;Data_e_vepres;Data_dergimit_PSH;Stacioni;Komuna;Vepra_penale;Neni;Forma_shfrytezimit;Statusi;Nr_PP"
PERSON = (
    "Nr_rastit;Nr_rendor;Roli;Mbiemri;Emri;Emri_prindit;Nr_personal;Data_lindjes;Vendlindja;Komuna_banimit;Gjinia;Shtetesia;Data_arrestimit"
)
Fault = tuple[int, int, str]  # row, column, what is written there
KINDS = ((7, "31.02.1980"), (7, "x"), (10, "X"), (11, "Narnia"), (2, "Kalimtar"))
NAMES = PERSON.split(";")


def delivered(folder: Path, name: str, rows: int, faults: list[Fault]) -> Path:
    """A delivery of sound cases with a person each, and the faults in `personat.csv`; every case comes again in each delivery."""
    where = folder / name
    where.mkdir(parents=True)
    cases = [f"2013-PR-{n:05};0{n % 9 + 1}.02.2013;;;Stacioni Policor Pejë;Pejë;;171;;Nën hetim;" for n in range(rows)]
    persons = [f"2013-PR-{n:05};1;I dyshuar;Krasniqi;Arben;Hasan;;02.03.1980;Pejë;Pejë;M;Kosovë;".split(";") for n in range(rows)]
    for row, column, text in faults:
        persons[row][column] = text
    for file, head, body in (("rastet.csv", CASE, cases), ("personat.csv", PERSON, [";".join(row) for row in persons])):
        (where / file).write_bytes("\r\n".join([head, *body, ""]).encode("cp1250"))
    return where


def taken(*folders: Path) -> RecordStatuses:
    read = {}
    for folder in folders:
        read[folder.name] = read_delivery("police", [SourceFile(path.name, path) for path in sorted(folder.iterdir())])
    return resolve_record_statuses(validate("police", read))


def lived(current: RecordStatuses) -> pd.DataFrame:
    found = determine_finding_states(current.findings, current.deliveries, current.lineage)
    return found[found["severity"] != "info"]


def planted(rows: int, count: int, seed: int) -> list[Fault]:
    """`count` faults of any kind, each in a different row, as far as there are rows."""
    rng = random.Random(seed)
    places = rng.sample([(row, column, text) for row in range(rows) for column, text in KINDS], len(KINDS) * rows)
    one_a_cell = list({(row, column): (row, column, text) for row, column, text in places}.values())
    return one_a_cell[:count]


def test_a_thousand_faults_in_one_delivery_are_a_thousand_findings_with_record_and_field(tmp_path: Path) -> None:
    faults = planted(600, 1000, seed=4)
    found = lived(taken(delivered(tmp_path, "2013-Q1", 600, faults)))
    on_file = found["record_key"].isna()  # so many unknown roles are also a finding on their column
    assert found.loc[on_file, ["rule", "field"]].to_numpy().tolist() == [["file-codes-unknown", "Roli"]]
    rows_found = set(zip(found.loc[~on_file, "record_key"], found.loc[~on_file, "field"], strict=True))
    assert rows_found == {(f"2013-PR-{row:05}/1", NAMES[column]) for row, column, _ in faults}
    assert (~on_file).sum() == 1000


def test_a_resubmission_with_60_of_100_corrected_and_5_new_tells_the_state_of_each(tmp_path: Path) -> None:
    faults = [(row, *KINDS[row % len(KINDS)]) for row in range(100)]
    again = faults[60:] + [(row, *KINDS[row % len(KINDS)]) for row in range(200, 205)]
    first = delivered(tmp_path, "2013-Q1", 300, faults)
    current = taken(first, delivered(tmp_path, "2013-Q1_v2", 300, again))
    found = lived(current)
    by_key = found[found["delivery"] == "2013-Q1_v2"].set_index("record_key")["state"]
    assert by_key.to_dict() == {
        f"2013-PR-{row:05}/1": state
        for rows, state in ((range(60), "fixed"), (range(60, 100), "remains"), (range(200, 205), "new"))
        for row in rows
    }
    shown = list_delivery_trends(found, current.accounting)
    assert shown.loc[shown["delivery"] == "2013-Q1_v2", ["open", "fixed"]].to_numpy().tolist() == [[100, 0], [45, 60]]


def test_each_finding_names_the_figures_of_its_own_institution_that_it_moves(tmp_path: Path) -> None:
    current = taken(delivered(tmp_path, "2013-Q1", 20, [(3, 10, "X"), (4, 2, "Kalimtar")]))
    found = lived(current)
    figures = find_affected_figures(found, harmonise("police", current.tables))
    by_key = figures.merge(found[["finding", "record_key"]], on="finding").groupby("record_key")["indicator"].agg(set)
    assert by_key["2013-PR-00003/1"] == {"suspects_registered"}, "a suspect of a case that was reported in the quarter"
    assert "cases_registered" in by_key["2013-PR-00004/1"], "a person without a role counts nowhere: it may move any"
    assert set(figures["period"]) == {"2013-Q1"}
    assert find_most_affected_figures(figures)["findings"].tolist()[0] == 2


def test_what_was_landed_nowhere_is_reported_all_the_same(tmp_path: Path) -> None:
    """An upload that failed leaves an empty folder: without a page nobody would learn of it."""
    rows_found = [
        {"institution": "police", "delivery": None, "file": "2013Q2", "rule": "delivery-name-no-period"},
        {"institution": "police", "delivery": "2013-Q3", "file": None, "rule": "delivery-empty"},
        {"institution": "police", "delivery": "2013-Q4", "file": "rastet.csv", "rule": "delivery-special-file"},
        {"institution": "police", "delivery": "2013-Q1", "file": "x.csv", "rule": "delivery-special-file"},  # has a separate page
        {"institution": None, "delivery": None, "file": "x", "rule": "inbox-stray-file"},
    ]
    found = findings.build_findings(rows_found)
    write_reports_on_not_landed(tmp_path, found, {("police", "2013-Q1")})
    (said,) = (tmp_path / "feedback").glob("*/not-taken/findings.json")
    rows = json.loads(said.read_text("utf-8"))
    assert {(row["rule"], row["file"]) for row in rows["findings"]} == {
        ("delivery-name-no-period", "2013Q2"),
        ("delivery-empty", "2013-Q3"),
        ("delivery-special-file", "2013-Q4/rastet.csv"),
    }
    page = (said.parent / "findings.en.html").read_text("utf-8")
    assert "2013-Q4/rastet.csv" in page and "<h1>What could not be ingested</h1>" in page
    assert "folder named after the period" in page and "as a new version" not in page
    write_reports_on_not_landed(tmp_path, found.iloc[3:], {("police", "2013-Q1")})
    assert not said.parent.exists()
    write_reports_on_not_landed(tmp_path, found.iloc[:0], set())  # an inbox in order
    assert not said.parent.exists()
