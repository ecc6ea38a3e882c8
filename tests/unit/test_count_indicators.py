"""The indicators as data, and the tables as declared."""

from __future__ import annotations

import pytest

from schemas.yaml_declarations import read_yaml
from warehouse import indicators as module
from warehouse import tables
from warehouse.count import meanings_of_bridge_causes
from warehouse.indicators import DIMENSIONS, LANGUAGES, indicators

PAGE = [
    "cases_registered",
    "cases_referred",
    "suspects_registered",
    "persons_arrested",
    "victims_identified",
    "cases_received_prosecution",
    "persons_reported",
    "cases_dismissed",
    "persons_indicted",
    "cases_received_court",
    "persons_convicted",
    "persons_acquitted",
    "persons_convicted_final",
    "persons_admitted_sentence",
    "persons_detained",
    "victims_referred",
    "victims_assisted",
    "victims_sheltered",
    "victims_represented",
]


def test_every_indicator_of_the_page_is_there_with_its_texts() -> None:
    assert sorted(indicators()) == sorted(PAGE)
    for indicator in indicators().values():
        assert all(indicator.title[n] and indicator.definition[n] for n in LANGUAGES)
        assert (indicator.unit == "person") == ("sex" in indicator.dimensions) == (indicator.harmonised.once is not None)


def test_a_broken_definition_names_its_file(tmp_path, monkeypatch) -> None:
    text = (module.Path(module.__file__).parent / "persons_arrested.yaml").read_text("utf-8")
    broken = tmp_path / "persons_arrested.yaml"
    broken.write_text(text.replace("institutions: [police]", "institutions: [customs]"), "utf-8")
    with pytest.raises(ValueError, match=r"persons_arrested\.yaml.*customs"):
        module.read_indicator(broken, read_yaml(broken))


def test_the_contract_tables_hold_at_least_the_contract_columns() -> None:
    wanted = {
        "statistics": ["indicator", "period", *DIMENSIONS, "as_reported", "harmonised", "quarantined"],
        "bridge": ["indicator", "period", "institution", "cause", "n"],
        "coverage": ["institution", "period", "state"],
        "lineage": ["institution", "entity", "record_key", "case_id", "person_id", "delivery", "file", "part", "line", "status"],
        "reconciliation": ["step", "period", "case_id", "person_id", "outcome", "differs", "detail"],
        "findings": ["institution", "delivery", "file", "part", "line", "record_key", "field", "rule", "severity", "origin", "state"],
    }
    assert set(wanted) == set(tables.CONTRACT)
    for name, columns in wanted.items():
        assert set(columns) <= {c.name for c in tables.WAREHOUSE.tables[name].columns}


def test_every_table_and_column_of_the_warehouse_is_explained() -> None:
    for table in tables.WAREHOUSE.tables.values():
        assert table.comment
        assert all(column.comment for column in table.columns)


def test_every_cause_of_the_bridge_is_explained_in_three_languages() -> None:
    assert {"registered_twice", "merged", "separated", "same_person", "date_corrected", "missing_date_found"} <= set(
        meanings_of_bridge_causes()
    )
    assert all(text[n] for text in meanings_of_bridge_causes().values() for n in LANGUAGES)
