"""A fault of a whole column or file is one cause; its cells are consequences. Units and own numbers of findings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipelines.record_status import resolve_record_statuses
from pipelines.units import find_language_of_unit
from pipelines.validation import validate
from schemas.findings import rules
from sources import contract
from sources.readers.result import SourceFile
from sources.reading import read_delivery

PERSONS = "Nr_rastit;Nr_rendor;Roli;Mbiemri;Emri;Emri_prindit;Nr_personal;Data_lindjes;Vendlindja;Komuna_banimit;Gjinia;Shtetesia"
Rows = list[list[str]]


def deliver(folder: Path, change: Callable[[Rows], Rows], rows: int = 60) -> pd.DataFrame:
    """Findings of a delivery of sound rows, `change`d before it is handed in; information is left out."""
    where = folder / "police" / "2012-Q2"
    where.mkdir(parents=True)
    cases = [f"2012-PR-{n:05};0{n % 9 + 1}.04.2012;;;Stacioni Policor Prishtinë;Prishtinë;;139;;Nën hetim;" for n in range(rows)]
    head = "Nr_rastit;Data_raportimit;Data_e_vepres;Data_dergimit_PSH;Stacioni;Komuna;Vepra_penale;Neni;Forma_shfrytezimit;Statusi;Nr_PP"
    (where / "rastet.csv").write_bytes("\r\n".join([head, *cases, ""]).encode("cp1250"))
    person = "I dyshuar;Krasniqi;Arben;Hasan;;0{d}.02.1980;Pejë;Pejë;M;Kosovë;"
    body = [f"2012-PR-{n:05};1;{person.format(d=n % 9 + 1)}".split(";") for n in range(rows)]
    changed = change([f"{PERSONS};Data_arrestimit".split(";"), *body])
    (where / "personat.csv").write_bytes("\r\n".join([*(";".join(row) for row in changed), ""]).encode("cp1250"))
    read = read_delivery("police", [SourceFile(path.name, path) for path in sorted(where.iterdir())])
    found = resolve_record_statuses(validate("police", {"2012-Q2": read})).findings
    return found[found["severity"] != "info"]


def shifted(rows: Rows, after: int = 0) -> Rows:
    return [row if n <= after else [*row[:6], *row[7:], ""] for n, row in enumerate(rows)]


@pytest.mark.parametrize("after", [0, 40])
def test_a_shifted_column_is_one_cause_and_the_cells_its_consequences(tmp_path: Path, after: int) -> None:
    found = deliver(tmp_path, lambda rows: shifted(rows, after))
    causes = found[found["origin"] == "cause"]
    assert causes["rule"].tolist() == ["file-columns-shifted"]
    assert causes["line"].tolist() == [after + 2]
    assert set(found.loc[found["origin"] == "consequence", "follows"]) == {"file-columns-shifted"}
    assert len(found) > 3 * (60 - after), "each cell still has its finding"


def test_rows_that_are_all_cut_are_one_cause(tmp_path: Path) -> None:
    found = deliver(tmp_path, lambda rows: [rows[0], *(row[:8] for row in rows[1:])])
    assert found.loc[found["origin"] == "cause", ["rule", "severity"]].to_numpy().tolist() == [["fault-throughout", "reject"]]
    assert found["rule"].value_counts()["row-cut"] == 60


def test_a_fault_of_one_column_throughout_is_one_cause(tmp_path: Path) -> None:
    found = deliver(tmp_path, lambda rows: [rows[0], *([*row[:10], "X", *row[11:]] for row in rows[1:])])
    causes = found[found["origin"] == "cause"]
    assert causes[["rule", "field", "detail"]].to_numpy().tolist() == [["fault-throughout", "Gjinia", "cell-code-unknown: 60"]]


def test_scattered_faults_stay_causes_each(tmp_path: Path) -> None:
    def scattered(rows: Rows) -> Rows:
        return [[*row[:10], "X", *row[11:]] if n % 3 == 1 else row for n, row in enumerate(rows)]

    found = deliver(tmp_path, scattered)
    assert found["origin"].tolist() == ["cause"] * 20


def test_a_finding_knows_its_unit_and_the_place_of_its_column(tmp_path: Path) -> None:
    one = deliver(tmp_path, lambda rows: [rows[0], [*rows[1][:10], "X", *rows[1][11:]], *rows[2:]])
    assert one[["unit", "column", "line"]].to_numpy().tolist() == [["Stacioni Policor Prishtinë", 11, 2]]


def test_units_read_the_language_of_the_contract() -> None:
    assert find_language_of_unit("Mitrovicë – Vushtrri", contract.load("courts")) == "sr"
    assert find_language_of_unit("Stacioni Policor Mitrovicë e Veriut", contract.load("police")) == "sr"
    assert find_language_of_unit("Prizren", contract.load("courts")) == "sq"
    assert find_language_of_unit(None, contract.load("inspectorate")) == "sq"


def test_tolerance_follows_severity_unless_the_rule_says_otherwise() -> None:
    assert rules()["cell-code-spelling"].tolerance == 1
    assert rules()["file-truncated"].tolerance == 0
    assert rules()["cell-missing"].tolerance == 0.05
