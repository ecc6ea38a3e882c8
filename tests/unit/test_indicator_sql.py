"""An indicator is one file: an invalid file is reported, a changed rule shows its effect."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import yaml
from test_star_build import world

from harmonia.errors import HarmoniaError
from warehouse import tables
from warehouse.count import compute_published_tables
from warehouse.count.changed_rules import compare_figures_by_rules, find_rules_changed_without_new_version, require_new_versions
from warehouse.indicators import catalogue as module
from warehouse.indicators import indicators
from warehouse.indicators.catalogue import catalogue, check_definitions, load_definition
from warehouse.publish import build_store_file
from warehouse.star.figures import CELL, compute_indicator_figures
from warehouse.tables import convert_frame_to_arrow

NEWCOMER = """
indicator: victims_of_the_union
order: 40
title: {sq: Viktima nga BE, sr: Žrtve iz EU, en: Victims who are citizens of the Union}
definition: {sq: Viktima shtetase të BE-së., sr: Žrtve državljani EU., en: "Victims whose country was a member of the Union on that day."}
unit: person
reference: report date of the case
institutions: [police]
dimensions: [sex]
source: a test
sql:
  as_reported: |
    SELECT date_reported AS day, sex_reported AS sex FROM fact_event WHERE false
  harmonised: |
    SELECT case_id, person_id, day, sex, offence_group FROM fact_event
    WHERE subject = 'person' AND role = 'victim' AND event = 'reported' AND scope = 'file' AND citizenship_region = 'eu'
"""


@pytest.fixture(scope="module")
def built() -> dict[str, pd.DataFrame]:
    found = world()
    found.deliveries = [d for d in found.deliveries if (d["institution"], d["period"]) != ("police", "2013-Q3")]
    found.deliveries = [d for d in found.deliveries if d["institution"] != "inspectorate"]
    return compute_published_tables(found.inputs())


def total(frame: pd.DataFrame, indicator: str, period: str) -> pd.Series:
    whole = (frame[CELL[2:]] == "total").all(axis=1)
    return frame[whole & (frame["indicator"] == indicator) & (frame["period"] == period)].iloc[0]


def test_a_period_without_a_delivery_is_null_and_flagged_not_zero(built: dict[str, pd.DataFrame]) -> None:
    further = built["further_statistics"]
    silent, there = (total(further, "victims_identified_yearly", f"2013-Q{n}") for n in (3, 4))
    assert (pd.isna(silent["harmonised"]), silent["incomplete"], silent["missing"]) == (True, True, "police 2013-Q3 missing")
    assert (there["harmonised"], there["incomplete"]) == (0, False)
    assert total(further, "victims_identified_yearly", "2013")["harmonised"] == 1


def test_every_indicator_of_the_issue_is_there(built: dict[str, pd.DataFrame]) -> None:
    published = built["indicators"].set_index("indicator")["published_in"]
    assert set(published[published == "statistics"].index) == set(indicators())
    assert len(published[published == "further_statistics"]) == 10
    missing = built["indicators"].set_index("indicator").loc[published.isna(), "not_available_en"]
    assert set(missing.index) == {"assets_seized"}
    assert missing.notna().all()


def test_a_new_indicator_is_one_file(tmp_path: Path, built: dict[str, pd.DataFrame]) -> None:
    folder = tmp_path / "indicators"
    shutil.copytree(module.FOLDER, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (folder / "victims_of_the_union.yaml").write_text(NEWCOMER, "utf-8")  # the one file touched
    one = catalogue(folder)["victims_of_the_union"]
    with duckdb.connect() as connection:
        for name, frame in built.items():
            connection.register(name, convert_frame_to_arrow(tables.WAREHOUSE.tables[name], frame))
        found = compute_indicator_figures(connection, [one])
    assert total(found, "victims_of_the_union", "2013")["harmonised"] == 0  # Croatia joined on 1 July
    assert set(found["sex"]) == {"total", "male", "female", "unknown"}


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT case_id, nonsense AS day FROM fact_event", "nonsense.*dictionary"),
        ("SELECT case_id FROM fact_event", "lacks the columns day"),
        ("SELECT 1; DROP TABLE fact_event", "2 statements"),
        ("DELETE FROM fact_event", "DELETE: one SELECT"),
        ("WITH x AS (INSERT INTO fact_event (event) VALUES ('a') RETURNING case_id, day) FROM x", "writes"),
        ("COPY fact_event TO '/tmp/x'", "COPY: one SELECT"),
        ("SELECT case_id, day FROM counted", "reads counted"),
        ("SELECT * FROM read_text('/etc/passwd')", "reads from a function"),
        ("SELECT * FROM '/etc/passwd'", "/etc/passwd"),
        ("SELEC case_id", "fails"),
    ],
)
def test_sql_that_does_more_than_read_facts_is_refused(sql: str, said: str, tmp_path: Path) -> None:
    raw = yaml.safe_load((module.FOLDER / "cases_resolved_court.yaml").read_text("utf-8"))
    raw["sql"]["harmonised"] = sql
    path = tmp_path / "cases_resolved_court.yaml"
    path.write_text(yaml.safe_dump(raw), "utf-8")
    with pytest.raises(HarmoniaError, match=rf"cases_resolved_court\.yaml.*{said}"):
        check_definitions([load_definition(path)])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dimensions": ["colour"]}, "dimensions colour unknown"),
        ({"institutions": ["customs"]}, "institutions customs unknown"),
        ({"unit": "euro"}, "unit euro unknown"),
        ({"title": {"en": "Cases"}}, "title lacks sq, sr"),
        ({"sql": {"harmonised": "SELECT 1"}}, "needs either `rows`"),
        ({"rows": {"record": "case", "event": "reported", "of": "file"}}, "rows.of is 'file'"),
        ({"indicator": "other"}, "name of the file"),
        ({"definition": None}, "lacks definition"),
    ],
)
def test_a_broken_file_is_reported_with_the_way_out(change: dict[str, object], said: str, tmp_path: Path) -> None:
    raw = yaml.safe_load((module.FOLDER / "cases_registered.yaml").read_text("utf-8"))
    path = tmp_path / "cases_registered.yaml"
    path.write_text(yaml.safe_dump(raw | change), "utf-8")
    with pytest.raises(HarmoniaError, match=rf"cases_registered\.yaml: .*{said}"):
        load_definition(path)


@pytest.mark.parametrize(
    ("name", "change", "figures"),
    [
        ("persons_arrested", {"rows": {"roles": ["victim"]}}, (1, 0)),
        ("victims_identified_yearly", {"sql": {"harmonised": "AND role = 'witness'"}}, (1, 0)),
    ],
)
def test_a_changed_rule_needs_a_new_version_and_shows_its_effect(
    name: str, change: dict[str, dict[str, object]], figures: tuple[int, int], tmp_path: Path, built: dict[str, pd.DataFrame]
) -> None:
    before = catalogue()[name]
    raw = yaml.safe_load((module.FOLDER / f"{name}.yaml").read_text("utf-8"))
    for key, values in change.items():
        for inner, value in values.items():
            old = raw[key][inner]
            raw[key][inner] = old.replace("AND role = 'victim'", str(value)) if isinstance(old, str) else value
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump(raw), "utf-8")
    now = load_definition(path)
    assert find_rules_changed_without_new_version({before.code: before}, {now.code: now}) == [name]
    with pytest.raises(HarmoniaError, match=f"harmonia indicator diff {name}"):
        require_new_versions({before.code: before}, {now.code: now})
    path.write_text(yaml.safe_dump(raw | {"version": 2}), "utf-8")
    require_new_versions({before.code: before}, {now.code: load_definition(path)})
    build_store_file(tmp_path / "warehouse.duckdb", tables.list_declared_tables_except_views(tables.WAREHOUSE), built)
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as connection:
        found = compare_figures_by_rules(connection, before, now)
    year = total(found, name, "2013")
    assert (year["harmonised"], year["harmonised_new"]) == figures
    assert year["differs"]


def test_spacing_is_no_change_of_a_rule(tmp_path: Path) -> None:
    text = (module.FOLDER / "cases_resolved_court.yaml").read_text("utf-8")
    path = tmp_path / "cases_resolved_court.yaml"
    path.write_text(text.replace("    GROUP BY case_id", "    GROUP BY  case_id "), "utf-8")
    assert load_definition(path).rule == catalogue()["cases_resolved_court"].rule
