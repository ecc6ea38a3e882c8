"""The measure: how many published figures the other decision would move."""

from __future__ import annotations

import pandas as pd

from harmonia.review.influence import estimate_influence_on_figures
from harmonia.review.pairs import PAIR

CASES = pd.DataFrame(
    [("police", "c1", "C1"), ("prosecution", "k1", "C1"), ("police", "c2", "C2")], columns=["institution", "record_key", "case_id"]
)
PERSONS = pd.DataFrame(
    [("police", "c1/1", "P1"), ("prosecution", "q1", "P1"), ("police", "c2/1", "P2"), ("police", "c3/1", "P3"), ("police", "c4/1", "P4")],
    columns=["institution", "record_key", "person_id"],
)


def row(indicator: str, unit: str, institution: str, key: str, case: str, quarter: str, ever: bool = False) -> dict[str, object]:
    ids = (PERSONS if unit == "person" else CASES).set_index(["institution", "record_key"]).iloc[:, 0]
    return {
        "indicator": indicator,
        "unit": unit,
        "ever": ever,
        "institution": institution,
        "entity": unit,
        "record_key": key,
        "case_key": key.split("/")[0],
        "case_id": case,
        "person_id": ids[institution, key] if unit == "person" else None,
        "quarter": quarter,
        "year": quarter[:4],
    }


ROWS = pd.DataFrame(
    [
        row("cases_registered", "case", "police", "c1", "C1", "2013-Q1"),
        row("cases_registered", "case", "police", "c2", "C2", "2013-Q2"),
        row("persons_arrested", "person", "police", "c1/1", "C1", "2013-Q1"),
        row("persons_arrested", "person", "police", "c2/1", "C2", "2013-Q1"),
        row("persons_arrested", "person", "police", "c3/1", "C3", "2013-Q3"),
        row("persons_arrested", "person", "police", "c4/1", "C4", "2014-Q1"),
        row("persons_indicted", "person", "prosecution", "q1", "C1", "2013-Q3"),
    ]
)


def measured(entity: str, a: str, b: str, joined: bool, where: str = "police") -> tuple[int, int]:
    pair = pd.DataFrame([(entity, "police", a, where, b)], columns=PAIR).assign(joined=joined)
    found = estimate_influence_on_figures(pair, ROWS, CASES, PERSONS).iloc[0]
    return int(found["moves"]), int(found["touched"])


def test_two_suspects_of_one_quarter_weigh_more_than_of_one_year_and_those_more_than_of_two():
    quarter, year, none = (measured("person", "c1/1", other, joined=False)[0] for other in ("c2/1", "c3/1", "c4/1"))
    assert (quarter, year, none) == (4, 2, 0)


def test_two_cases_that_become_one_move_the_later_one_out_of_quarter_and_year():
    assert measured("case", "c1", "c2", joined=False)[0] == 4


def test_a_joined_pair_that_counts_in_different_indicators_moves_no_total():
    assert measured("person", "c1/1", "q1", joined=True, where="prosecution") == (0, 8)


def test_the_other_records_of_a_cluster_count_with_it():
    together = PERSONS.replace({"person_id": {"P2": "P1"}})
    rows = ROWS.assign(person_id=ROWS["person_id"].replace({"P2": "P1"}))
    pair = pd.DataFrame([("person", "police", "c1/1", "prosecution", "q1")], columns=PAIR).assign(joined=True)
    assert estimate_influence_on_figures(pair, rows, CASES, together)["moves"].tolist() == [4]


def test_many_pairs_at_once_are_measured_as_each_alone():
    every = pd.DataFrame([("person", "police", "c1/1", "police", other) for other in ("c2/1", "c3/1", "c4/1")], columns=PAIR)
    assert estimate_influence_on_figures(every.assign(joined=False), ROWS, CASES, PERSONS)["moves"].tolist() == [4, 2, 0]
