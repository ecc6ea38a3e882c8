"""What every contract must say, so that a new institution that leaves something out is noticed at once."""

from __future__ import annotations

import re

import pytest
from reader_world import GOOD_INSTITUTIONS

from schemas import canonical
from schemas.findings import LANGUAGES
from sources import contract
from sources.contract import institutions

CANONICAL = {
    *canonical.CASE_STATES,
    *canonical.ROLES,
    *canonical.SEXES,
    *canonical.FORMS,
    *canonical.EVENTS,
    *contract.institution_by_case_number_kind(),
    contract.OTHER,
    *institutions(),
    *("convicted", "acquitted", "rejected", "transfer", "true", "false", "sq", "sr"),
    *("served", "conditional_release", "court_decision", "house_arrest", "sentence_begun", "detention_ended"),
    *canonical.SERVICES,
    *canonical.OFFENCE_GROUPS,
    *("shelter", "organisation", "helpline", "self"),  # kinds of stay, and who refers a victim
    *("KPK2003", "KPRK2012", "KPRK2019", "LRQP2009"),
    *("imprisonment", "fine", "suspended", "measure"),
}


def test_institutions_come_in_the_order_of_a_case_s_way() -> None:
    assert contract.institutions() == GOOD_INSTITUTIONS


@pytest.mark.parametrize("institution", contract.institutions())
def test_a_contract_is_whole(institution: str) -> None:
    declared = contract.load(institution)
    assert set(declared.publisher) == set(LANGUAGES)
    assert declared.contact.endswith("@example.org")
    assert {t for f in declared.files for t in f.tables} == set(declared.tables)


@pytest.mark.parametrize("institution", contract.institutions())
def test_tables_hang_together(institution: str) -> None:
    tables = contract.load(institution).tables
    for table in tables.values():
        names = [c.name for c in table.columns]
        assert set(table.key) <= set(names)
        assert set(table.via) <= set(names)
        assert table.parent is None or (table.parent in tables and table.via)
        assert {c.name for c in table.columns if c.key} == set(table.key)
        assert all(table.column(k).required for k in table.key)
        assert table.entity is None or table.key


@pytest.mark.parametrize("institution", contract.institutions())
def test_codes_lead_to_canonical_values(institution: str) -> None:
    tables = contract.load(institution).tables
    for table in tables.values():
        for column in table.columns:
            of_tables = set(tables) if table.crosswalk and column.name == table.crosswalk.table else set()
            assert set(column.codes.values()) <= CANONICAL | of_tables, (table.name, column.name)
            assert set(column.prefixes.values()) <= CANONICAL, (table.name, column.name)
            assert (column.type == "code") == bool(column.codes), (table.name, column.name)
            assert column.pattern is None or re.compile(column.pattern)


@pytest.mark.parametrize("institution", contract.institutions())
def test_names_birth_dates_and_personal_numbers_are_personal(institution: str) -> None:
    for table in contract.load(institution).tables.values():
        for column in table.columns:
            if column.type in ("name", "personal_number") or (column.type == "date" and "lind" in column.name.lower()):
                assert column.personal, (table.name, column.name)
