"""The gap between published figures and `as_reported` is that of a plain recomputation; what cannot be compared is listed with a reason."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from harmonia.errors import HarmoniaError
from harmonia.scorecard.page import render_pages
from harmonia.status import describe_yardsticks
from pipelines import returned_counts
from schemas.findings import LANGUAGES
from schemas.yaml_declarations import DeclarationError
from sources import contract
from sources.simulator import simulate
from warehouse import tables, yardsticks
from warehouse.indicators import DIMENSIONS, indicators

HEADER = "institution,indicator,period,offence_group,unit,value,source\n"
EXAMPLE = Path(__file__).resolve().parents[2] / "docs/how-to/example/yardsticks.csv"


def statistics(seed: int = 3) -> pd.DataFrame:
    """Figures made up: totals, by offence group, and by sex, of two years."""
    rng = np.random.default_rng(seed)
    rows = []
    for code in indicators():
        for period in ("2012", "2013", "2013-Q2"):
            for group in ("total", "trafficking", "other"):
                for sex in ("total", "female"):
                    rows.append(
                        {"indicator": code, "period": period, **dict.fromkeys(DIMENSIONS, "total"), "offence_group": group, "sex": sex}
                    )
    return pd.DataFrame(rows).assign(as_reported=pd.Series(rng.integers(0, 90, len(rows)), dtype="Int64"), incomplete=False)


def file(tmp_path: Path, *lines: str, header: str = HEADER) -> Path:
    path = tmp_path / "figures.csv"
    path.write_text(header + "".join(f"{line}\n" for line in lines), "utf-8")
    return path


def test_gaps_are_those_of_a_plain_recomputation() -> None:
    figures = statistics()
    gaps, uncompared = yardsticks.compare_yardsticks_with_statistics(yardsticks.read_yardstick_file(EXAMPLE), figures)
    assert uncompared.empty
    plain = {
        (row["indicator"], row["period"], row["offence_group"]): int(row["as_reported"])
        for row in figures.to_dict("records")
        if row["sex"] == "total"
    }
    with EXAMPLE.open(encoding="utf-8", newline="") as opened:
        published = list(csv.DictReader(opened))
    expected = {}
    for row in published:
        key = row["indicator"], row["period"], row["offence_group"]
        expected[key] = int(row["value"]), plain[key], plain[key] - int(row["value"])
    found = {
        tuple(row[:3]): tuple(row[3:])
        for row in gaps[["indicator", "period", "offence_group", "published", "as_reported", "gap"]].to_numpy().tolist()
    }
    assert found == expected and len(found) == len(published) == 7
    assert gaps["gap_percent"].tolist() == pytest.approx([100 * gap / value for value, _, gap in (expected[k] for k in sorted(expected))])


def test_an_indicator_of_several_institutions_is_compared_with_the_sum_of_one_source(tmp_path: Path) -> None:
    lines = ["police,cases_registered,2013,,case,100,Report", "inspectorate,cases_registered,2013,total,case,7,Report"]
    gaps, uncompared = yardsticks.compare_yardsticks_with_statistics(
        yardsticks.read_yardstick_file(file(tmp_path, *lines, "police,cases_registered,2012,,case,90,Press")), statistics()
    )
    assert gaps["published"].tolist() == [107]
    assert uncompared["line"].tolist() == [4] and "also counts inspectorate" in uncompared["why"][0]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (
            "police,cases_registered,2013,total,person,5,R",
            "name an indicator of unit person (suspects_registered, persons_arrested, victims_identified)",
        ),
        ("courts,persons_convicted,2013,total,case,5,R", "name an indicator of unit case (cases_received_court)"),
        ("police,beggars,2013,total,person,5,R", "harmonia indicator list"),
        ("customs,persons_arrested,2013,total,person,5,R", "institution 'customs' is unknown"),
        ("courts,persons_arrested,2013,total,person,5,R", "does not count records of courts"),
        ("police,persons_arrested,2013-05,total,person,5,R", "neither a year nor a quarter"),
        ("police,persons_arrested,2013,theft,person,5,R", "offence group 'theft' is unknown"),
        ("police,persons_arrested,2013,total,person,5.5,R", "not a whole number"),
        ("police,persons_arrested,2013,total,person,-5,R", "not a whole number"),
        ("police,persons_arrested,2013,total,person,5,", "no source"),
        ("police,persons_arrested,2020,total,person,5,R", "no figure for 2020"),
    ],
)
def test_what_cannot_be_compared_is_reported_with_what_to_do(tmp_path: Path, line: str, why: str) -> None:
    gaps, uncompared = yardsticks.compare_yardsticks_with_statistics(yardsticks.read_yardstick_file(file(tmp_path, line)), statistics())
    assert gaps.empty and why in uncompared["why"][0] and uncompared["line"].tolist() == [2]


def test_twice_and_nothing_read_is_reported(tmp_path: Path) -> None:
    line, other = "police,persons_arrested,2013,total,person,5,R", "police,persons_arrested,2013,total,person,6,R"
    gaps, uncompared = yardsticks.compare_yardsticks_with_statistics(
        yardsticks.read_yardstick_file(file(tmp_path, line, line, line)), statistics()
    )
    assert gaps["published"].tolist() == [5] and gaps["line"].tolist() == [2]
    assert uncompared["line"].tolist() == [3, 4] and uncompared["why"].str.contains("repeats an earlier line").all()
    gaps, uncompared = yardsticks.compare_yardsticks_with_statistics(
        yardsticks.read_yardstick_file(file(tmp_path, line, line, other)), statistics()
    )
    assert gaps.empty and uncompared["line"].tolist() == [2, 3, 4] and uncompared["why"].str.contains("different values").all()
    unread = statistics().assign(as_reported=pd.NA)
    _, uncompared = yardsticks.compare_yardsticks_with_statistics(yardsticks.read_yardstick_file(file(tmp_path, line)), unread)
    assert "nothing could be read" in uncompared["why"][0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("year,institution,value\n2013,police,5\n", "the columns are"),
        (HEADER + "police,persons_arrested\n", "line 2 has more or fewer cells"),
        (HEADER + 'police,"persons\n', "is not CSV"),
        ("", "the columns are none"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "figures.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(HarmoniaError, match=says):
        yardsticks.read_yardstick_file(path)
    path.write_bytes(HEADER.encode() + b"\xff\xfe")
    with pytest.raises(HarmoniaError, match="UTF-8"):
        yardsticks.read_yardstick_file(path)


OWN = pd.DataFrame(
    [("cases_registered", "police", "2013", "total", 40), ("cases_registered", "inspectorate", "2013", "total", 7)],
    columns=["indicator", "institution", "period", "offence_group", "as_reported"],
)
COVERED = pd.DataFrame(
    [("police", "2013", "complete"), ("inspectorate", "2013", "partial"), ("police", "2012", "missing")],
    columns=["institution", "period", "state"],
)


def of_run(tmp_path: Path, *lines: str, header: str = HEADER) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table and the problems that a run makes of one file."""
    found = yardsticks.read_landed_yardstick_files([("yardsticks/2013/figures.csv", file(tmp_path, *lines, header=header))])
    given = (found, statistics().assign(harmonised=5), OWN, COVERED)
    return yardsticks.build_yardstick_table(*given), yardsticks.find_yardstick_lines_with_problems(*given)


def test_in_a_run_each_institution_is_compared_with_its_own_records(tmp_path: Path) -> None:
    table, problems = of_run(
        tmp_path,
        "police,cases_registered,2013,,case,50,Report",
        "inspectorate,cases_registered,2013,,case,2,Report",
        "police,cases_registered,2012,,case,9,Report",
    )
    rows = table.set_index(["institution", "period"])
    assert rows.loc[("police", "2013"), ["published", "as_reported", "gap"]].tolist() == [50, 40, -10]
    assert rows.loc[("inspectorate", "2013"), ["published", "as_reported", "gap"]].tolist() == [2, 7, 5]
    assert rows["exceeds_tolerance"].to_dict() == {("police", "2013"): True, ("inspectorate", "2013"): False, ("police", "2012"): False}
    assert rows["incomplete"].to_dict() == {("police", "2013"): False, ("inspectorate", "2013"): True, ("police", "2012"): True}
    assert rows["harmonised"].isna().all()  # it counts the records of both
    assert rows.loc[("police", "2012"), ["as_reported", "gap"]].isna().all()
    assert problems[["line", "rule"]].values.tolist() == [[4, "yardstick-nothing-read"]]
    assert describe_yardsticks(table, problems) == [
        "2 published figures compared, 2 gaps, 1 larger than the tolerance",
        "gap: cases_registered 2013: police published 50, as reported 40 (-10)",
        "yardsticks/2013/figures.csv line 4: not compared: nothing could be read from police for 2012: see `harmonia status` "
        "(yardstick-nothing-read)",
    ]


def test_a_small_gap_is_shown_and_not_reported(tmp_path: Path) -> None:
    table, _ = of_run(tmp_path, "police,cases_registered,2013,,case,42,Report")
    assert table[["gap", "exceeds_tolerance"]].values.tolist() == [[-2, False]]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("police,cases_registered,2013,total,Arben,5,R", "yardstick-unit"),
        ("Arben,persons_convicted,2013,total,person,5,R", "yardstick-institution"),
        ("police,Arben,2013,total,person,5,R", "yardstick-indicator"),
        ("police,persons_arrested,Arben,total,person,5,R", "yardstick-period"),
        ("police,persons_arrested,2013,Arben,person,5,R", "yardstick-offence-group"),
        ("police,persons_arrested,2013,total,person,Arben,R", "yardstick-value"),
        (f"police,persons_arrested,2013,total,person,5,{'Arben ' * 60}", "yardstick-source"),
    ],
)
def test_a_run_says_file_line_rule_and_way_out_and_quotes_nothing(tmp_path: Path, line: str, rule: str) -> None:
    table, problems = of_run(tmp_path, line, "police,cases_registered,2013,,case,42,Report")
    assert len(table) == 1  # the other line is compared
    assert problems[["file", "line", "rule"]].values.tolist() == [["yardsticks/2013/figures.csv", 2, rule]]
    assert "Arben" not in " ".join(describe_yardsticks(table, problems)) and ": " in problems["why"][0]


@pytest.mark.parametrize(("header", "line"), [("Arben,b\n", 1), (HEADER + "police,cases\n", 2), (HEADER + 'Arben,"a\n', 2)])
def test_a_damaged_file_costs_its_own_figures_only(tmp_path: Path, header: str, line: int) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    files = [("yardsticks/2013/a.csv", file(bad, header=header)), ("yardsticks/2013/b.csv", EXAMPLE)]
    found = yardsticks.read_landed_yardstick_files(files)
    assert found["file"].value_counts().to_dict() == {"yardsticks/2013/a.csv": 1, "yardsticks/2013/b.csv": 7}
    problems = yardsticks.find_yardstick_lines_with_problems(found, statistics().assign(harmonised=5), OWN, COVERED)
    assert problems.loc[0, ["file", "rule"]].tolist() == ["yardsticks/2013/a.csv", "yardstick-form"]
    assert problems["line"][0] == line and "Arben" not in problems["why"][0]


def test_the_scorecard_shows_the_institutions_own_figures_in_every_language(tmp_path: Path) -> None:
    table, _ = of_run(
        tmp_path, "police,cases_registered,2013,,case,50,<b>Report</b>", "inspectorate,cases_registered,2013,,case,7041,Report"
    )
    pages = render_pages(tables.conform_frame(tables.QUALITY, pd.DataFrame()), "police", table)
    assert len(pages) == len(LANGUAGES)
    for page in pages.values():
        assert 'id="published"' in page and ">50<" in page and "-10 " in page and "&lt;b&gt;Report" in page and "7041" not in page
    assert 'id="published"' not in render_pages(tables.conform_frame(tables.QUALITY, pd.DataFrame()), "courts", table)["scorecard.html"]


def test_the_simulator_adds_returns_and_changes_nothing_else(tmp_path: Path) -> None:
    def written(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    for name, added_too in (("without", False), ("with", True)):
        simulate(tmp_path / name, seed=3, start=2013, years=1, cases_per_year=8, returns=added_too)
    before, after = written(tmp_path / "without"), written(tmp_path / "with")
    added = "inbox/yardsticks/2013/returns.csv"
    assert after.keys() - before.keys() == {added} and {name: after[name] for name in before} == before
    lines = yardsticks.read_yardstick_file(tmp_path / "with" / added)
    assert set(lines["institution"]) == {"police", "inspectorate", "prosecution", "courts", "corrections"}
    assert (
        yardsticks.find_yardstick_lines_with_problems(
            lines.reindex(columns=list(yardsticks.LINE_COLUMNS)).assign(kind="published"), statistics().assign(harmonised=5), OWN, COVERED
        )["rule"]
        .isin(["yardstick-no-figure", "yardstick-nothing-read"])
        .all()
    )


def contract_of_counts(tmp_path: Path, **changed: object) -> Path:
    """A contract of an institution that delivers only counts."""
    columns = {
        "what": {"type": "code", "required": True, "codes": {"cases": "cases_registered"}},
        "number": {"type": "integer", "required": True},
    }
    written = {
        "institution": "customs",
        "order": 40,
        "stage": "registration",
        "language": "en",
        "contact": "a@example.org",
        "publisher": {"sq": "D", "sr": "C", "en": "C"},
        "cadence": "quarterly",
        "due_days": 15,
        "files": [{"name": "counts.csv", "reader": "delimited", "tables": ["counts"]}],
        "tables": {"counts": {"counts": {"indicator": "what", "value": "number"}, "columns": columns}},
    }
    path = tmp_path / "customs" / "contract.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump({**written, **changed}), "utf-8")
    return path


def test_a_contract_may_have_counts_only(tmp_path: Path) -> None:
    found = contract.read_contract(contract_of_counts(tmp_path))
    assert not found.has_records and found.tables["counts"].required


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"cadence": "monthly"}, "make it quarterly or yearly"),
        ({"counts_in": ["cases_registered"]}, "delivers no records that could count"),
        ({"tables": {"counts": {"columns": {"what": {"type": "text"}}}}}, "one of them must have an `entity`, or `counts`"),
        (
            {"tables": {"counts": {"counts": {"indicator": "what", "value": "what"}, "columns": {"what": {"type": "text"}}}}},
            "of type code",
        ),
    ],
)
def test_a_contract_of_counts_that_cannot_be_is_refused(tmp_path: Path, changed: dict[str, object], says: str) -> None:
    with pytest.raises(DeclarationError, match=says):
        contract.read_contract(contract_of_counts(tmp_path, **changed))


def test_the_newest_version_of_a_returned_figure_is_current(tmp_path: Path) -> None:
    declared = contract.read_contract(contract_of_counts(tmp_path))
    rows = pd.DataFrame(
        {
            "_delivery": ["2013-Q1", "2013-Q1", "2013-Q1_v2"],
            "_period": "2013-Q1",
            "_version": [1, 1, 2],
            "_line": [2, 3, 2],
            "what": ["cases_registered", None, "cases_registered"],
            "number": pd.Series([5, 6, 7], dtype="Int64"),
        }
    )
    found = returned_counts.select_current_counts(declared, {"counts": rows})
    assert found[["delivery", "indicator", "offence_group", "value"]].values.tolist() == [["2013-Q1_v2", "cases_registered", "total", 7]]
    lines = yardsticks.convert_counts_of_returns_to_yardsticks(found)
    assert lines[["file", "line", "unit", "value", "kind"]].values.tolist() == [["customs/2013-Q1_v2", 2, "case", "7", "return"]]
    assert returned_counts.select_current_counts(declared, {"counts": rows.iloc[:0]}).empty
