"""A register from outside the repository: no header, an age class for a birth date, legal persons, codes that change on a day."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import yaml

EXAMPLE = Path(__file__).parents[2] / "docs" / "how-to" / "example" / "border_police"
# case, received, sent, article, offence, status, prosecution, name, number, age class, kind, sex, citizenship
FIRST = """KF-1/2013,2013-01-10,,171 KPRK,,open,,Arben Krasniqi,,adult,F,M,Kosovë
KF-2/2013,2013-02-11,2013-02-20,171 KPRK,,sent,,Driton Gashi,,child,F,M,Kosovë
KF-3/2013,2013-03-12,,171 KPRK,,open,,Transporti Drini,,,J,,
"""
SECOND = """KF-4/2013,2013-04-14,2013-05-02,171 KPRK,,2,,Blerim Hoxha,,adult,F,M,Kosovë
KF-5/2013,2013-05-15,,171 KPRK,,1,,Liridon Shala,,child,F,M,Kosovë
"""


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("features")
    folder = root / "sources" / "border_police"
    shutil.copytree(EXAMPLE, folder)
    contract = yaml.safe_load((folder / "contract.yaml").read_text("utf-8"))
    table = contract["tables"]["cases"]
    columns = table["columns"]
    columns["status"]["codes_from"] = {"2013-04-01": {"1": "investigating", "2": "sent"}}
    of_person = {
        "age": {"type": "code", "codes": {"child": "child", "adult": "adult"}},
        "kind": {"type": "code", "codes": {"F": "natural", "J": "legal"}},
    }
    names = ["case_no", "received_on", "sent_on", "article", "offence", "status", "prosecution_no", "name", "personal_no"]
    table["columns"] = {**{n: columns[n] for n in names}, **of_person, "sex": columns["sex"], "citizenship": columns["citizenship"]}
    table |= {"header": False, "person_kind": "kind", "age_class": "age"}
    text = yaml.safe_dump(contract, allow_unicode=True, sort_keys=False).replace("'2013-04-01'", "2013-04-01")
    (folder / "contract.yaml").write_text(text, "utf-8")
    mapping = (folder / "mapping.py").read_text("utf-8")
    (folder / "mapping.py").write_text(mapping.replace('        born="born",\n', ""), "utf-8")
    for period, rows in (("2013-Q1", FIRST), ("2013-Q2", SECOND)):
        delivery = root / "inbox" / "border_police" / period
        delivery.mkdir(parents=True)
        (delivery / "cases.csv").write_text(rows, "utf-8")
    environment = {**os.environ, "HARMONIA_SOURCES": str(root / "sources")}
    command = [str(Path(sys.executable).with_name("harmonia")), "run", "--inbox", str(root / "inbox"), "--home", str(root / "home")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return root / "home" / "warehouse.duckdb"


def figure(warehouse: Path, indicator: str, **values: str) -> tuple[int, int]:
    where = {**dict.fromkeys(("offence_group", "form", "sex", "age_group", "citizenship_group"), "total"), **values}
    condition = " AND ".join(f"{name} = '{value}'" for name, value in where.items())
    query = f"SELECT as_reported::INT, harmonised::INT FROM statistics WHERE indicator = '{indicator}' AND period = '2013' AND {condition}"
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row


@pytest.mark.slow
def test_columns_without_names_are_read_and_not_a_fault(warehouse: Path) -> None:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        assert connection.execute("SELECT count(*), count_if(status = 'accepted') FROM lineage WHERE entity = 'case'").fetchone() == (5, 5)
        assert connection.execute("SELECT count(*) FROM findings WHERE rule LIKE 'file-header%'").fetchone() == (0,)
    assert figure(warehouse, "cases_registered") == (5, 5)


@pytest.mark.slow
def test_legal_persons_count_in_no_indicator_of_persons(warehouse: Path) -> None:
    assert figure(warehouse, "suspects_registered") == (4, 4)


@pytest.mark.slow
def test_what_only_natural_persons_have_is_not_asked_of_legal_ones(warehouse: Path) -> None:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        found = connection.execute("SELECT DISTINCT field, record_key FROM findings WHERE rule = 'cell-empty'").fetchall()
    assert ("personal_no", "KF-1/2013") in found
    assert ("article", "KF-3/2013") not in found
    assert not {key for field, key in found if field in ("personal_no", "sex", "citizenship")} & {"KF-3/2013"}


@pytest.mark.slow
def test_an_age_class_is_the_age_group_where_no_birth_date_is_known(warehouse: Path) -> None:
    assert figure(warehouse, "suspects_registered", age_group="child") == (2, 2)
    assert figure(warehouse, "suspects_registered", age_group="adult") == (2, 2)


@pytest.mark.slow
def test_codes_are_read_by_the_list_of_their_period(warehouse: Path) -> None:
    assert figure(warehouse, "cases_referred") == (2, 2)
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM findings WHERE rule = 'cell-code-unknown'").fetchone() == (0,)
