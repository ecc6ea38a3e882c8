"""Simulated institutions that deliver by other periods than usual, and code lists that change within a year, read back from the files."""

from __future__ import annotations

import csv
import sqlite3
from datetime import date
from pathlib import Path

import pytest
import yaml

from sources.simulator import simulate

ARGUMENTS = {"seed": 7, "start": 2013, "years": 2, "cases_per_year": 25, "noise": "clean"}


def police(folder: Path, name: str) -> dict[str, list[dict[str, str]]]:
    """The rows of a police file by delivery."""
    paths = sorted((folder / "inbox" / "police").glob(f"*/{name}"))
    return {path.parent.name: list(csv.DictReader(path.read_text("cp1250").splitlines(), delimiter=";")) for path in paths}


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("usual") / "set"
    simulate(folder, **ARGUMENTS)  # type: ignore[arg-type]
    return folder


@pytest.mark.parametrize(
    ("cadence", "deliveries", "last"), [("monthly", 24, "2014-12"), ("half_yearly", 4, "2014-H2"), ("yearly", 2, "2014")]
)
def test_other_periods_hold_the_same_last_states(usual: Path, tmp_path: Path, cadence: str, deliveries: int, last: str) -> None:
    made = simulate(tmp_path / "set", cadence={"police": cadence}, **ARGUMENTS)  # type: ignore[arg-type]
    for name, key in (("rastet.csv", ("Nr_rastit",)), ("personat.csv", ("Nr_rastit", "Nr_rendor"))):
        states = [
            {tuple(row[column] for column in key): row for rows in police(folder, name).values() for row in rows}
            for folder in (usual, tmp_path / "set")
        ]
        assert states[0] == states[1]
    named = sorted(police(tmp_path / "set", "rastet.csv"))
    assert (len(named), named[-1]) == (deliveries, last)
    assert made.domain == tmp_path / "set" / "domain"
    assert yaml.safe_load((made.domain / "sources" / "police" / "contract.yaml").read_text("utf-8"))["cadence"] == cadence
    for institution in ("inspectorate", "prosecution", "courts", "corrections"):
        assert bytes_of(usual / "inbox" / institution) == bytes_of(tmp_path / "set" / "inbox" / institution)
    assert (usual / "truth" / "statistics.csv").read_bytes() == (tmp_path / "set" / "truth" / "statistics.csv").read_bytes()


def test_every_institution_has_its_own_periods_also_with_defects(tmp_path: Path) -> None:
    cadence = {
        "inspectorate": "yearly",
        "prosecution": "monthly",
        "courts": "half_yearly",
        "victim_protection": "monthly",
        "social_work": "quarterly",
    }
    simulate(tmp_path / "set", seed=3, start=2013, years=2, cases_per_year=40, noise="hard", victims=True, life=["all"], cadence=cadence)
    found = {path.name: sorted({d.name.partition("_v")[0] for d in path.iterdir()}) for path in (tmp_path / "set" / "inbox").iterdir()}
    assert found["inspectorate"] == ["2013", "2014"] and found["courts"] == ["2013-H1", "2013-H2", "2014-H1", "2014-H2"]
    assert len(found["prosecution"]) == 24 and {"2013-01", "2014-12"} <= set(found["victim_protection"])
    assert {"2013-Q1", "2014-Q4"} <= set(found["social_work"]) and {"2013-Q1", "2014-Q4"} <= set(found["police"])


def test_new_codes_come_from_one_day_on_and_are_in_the_contract_beside(usual: Path, tmp_path: Path) -> None:
    made = simulate(tmp_path / "set", life=["new_codes"], **ARGUMENTS)  # type: ignore[arg-type]
    words = {"I dyshuar": "DYSH", "Viktimë": "VIKT", "Dëshmitar": "DESHM"}
    before, after = police(usual, "personat.csv"), police(tmp_path / "set", "personat.csv")
    for delivery, rows in before.items():
        expected = [words[row["Roli"]] if delivery >= "2014-Q2" else row["Roli"] for row in rows]
        assert [row["Roli"] for row in after[delivery]] == expected
    roles = [(tmp_path / "set" / "inbox" / "prosecution" / quarter / "psh.sqlite") for quarter in ("2014-Q1", "2014-Q2")]
    assert [_roles(path) for path in roles] == [{"D", "V"}, {"P", "D"}]
    assert made.domain is not None
    contract = yaml.safe_load((made.domain / "sources" / "prosecution" / "contract.yaml").read_text("utf-8"))
    assert contract["tables"]["pala"]["columns"]["roli"]["codes_from"] == {date(2014, 5, 15): {"P": "defendant", "D": "victim"}}
    assert (usual / "truth" / "statistics.csv").read_bytes() == (tmp_path / "set" / "truth" / "statistics.csv").read_bytes()
    with (tmp_path / "set" / "truth" / "defects.csv").open(encoding="utf-8") as file:
        defects = {(row["institution"], row["delivery"]) for row in csv.DictReader(file) if row["kind"] == "codes_changed"}
    assert defects == {(name, f"2014-Q{q}") for name in ("police", "prosecution") for q in (2, 3, 4)}


def _roles(path: Path) -> set[str]:
    with sqlite3.connect(path) as connection:
        return {role for (role,) in connection.execute("SELECT roli FROM pala")}


def test_a_usual_set_needs_no_domain(usual: Path) -> None:
    assert sorted(path.name for path in usual.iterdir()) == ["inbox", "simulated.json", "truth"]


@pytest.mark.parametrize(
    ("cadence", "said"),
    [
        ({"customs": "monthly"}, "institution 'customs' is unknown"),
        ({"police": "weekly"}, "cadence 'weekly' is unknown; the cadences are monthly"),
    ],
)
def test_an_unknown_institution_or_cadence(tmp_path: Path, cadence: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        simulate(tmp_path / "set", cadence=cadence, years=1, cases_per_year=5)
