"""Figures explained: the records behind them add up."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from count_world import World
from explain_world import AGAIN, CASE, SECRETS, build

from harmonia.cli import main as cli
from harmonia.errors import HarmoniaError
from harmonia.explain.figure_names import parse_figure
from harmonia.explain.figure_records import find_figure_records
from harmonia.explain.figures import explain_figure
from harmonia.explain.published import PublishedHome, open_home
from harmonia.home import Home
from pipelines.resources.workplace import Workplace
from warehouse.count import CountInputs, open_database_of_counting_models
from warehouse.tables import WAREHOUSE, list_declared_tables_except_views

DIMENSIONS = ("offence_group", "form", "sex", "age_group", "citizenship_group")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return build(tmp_path_factory.mktemp("figures") / "home")


@pytest.fixture
def typed(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["harmonia", "explain", "figure", *arguments, "--home", str(home.root)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


class _Counted(PublishedHome):
    """What counting made of a few records, without a home."""

    def __init__(self, inputs: CountInputs) -> None:
        self._inputs, self._warehouse = inputs, duckdb.connect()
        with open_database_of_counting_models(inputs) as models:
            self._rows, tables = (
                models.read_frame("indicator_row"),
                {one.name: models.read_published_frame(one) for one in list_declared_tables_except_views(WAREHOUSE)},
            )
        for name, frame in tables.items():
            self._warehouse.register(f"{name}_rows", frame)
            columns = ", ".join(f'CAST("{c.name}" AS {c.type}) AS "{c.name}"' for c in WAREHOUSE.tables[name].columns)
            self._warehouse.execute(f"CREATE TABLE {name} AS SELECT {columns} FROM {name}_rows")

    def read_indicator_rows(self, indicator: str) -> pd.DataFrame:
        return self._rows[self._rows["indicator"] == indicator].reset_index(drop=True)

    folder = Path("made up")
    canonical = property(lambda self: dict(self._inputs.canonical))  # type: ignore[assignment]
    identities = property(lambda self: {"cases": self._inputs.cases, "persons": self._inputs.persons})  # type: ignore[assignment]
    deliveries = property(lambda self: self._inputs.deliveries)  # type: ignore[assignment]


def explain_all(home: PublishedHome) -> int:
    """Explain every quarterly figure by offence or sex that differs; each raises where it does not add up. Returns how many there are."""
    whole = " AND ".join(f"{d} = 'total'" for d in ("form", "age_group", "citizenship_group"))
    one_way = "(offence_group = 'total' OR sex = 'total')"
    rows = home.query(f"SELECT * FROM statistics WHERE length(period) = 7 AND {whole} AND {one_way} AND as_reported <> harmonised")
    for row in rows.to_dict("records"):
        words = [row["indicator"], row["period"], *(f"{d}={row[d]}" for d in DIMENSIONS)]
        explain_figure(home, parse_figure(home, " ".join(words)), show_names=False)
    return len(rows)


def test_every_published_figure_adds_up_by_its_records(home: Home) -> None:
    with open_home(Workplace.from_paths(None, home.root)) as published:
        assert explain_all(published) > 0


@pytest.mark.slow
def test_every_cause_adds_up_also_under_another_heading() -> None:
    """Twice registered, an impossible date, a file without its case line, an offence that changes with the stage."""
    world = World()
    world.case("police", "a", "C1", reported="2013-01-05", group="other").case(
        "police", "b", "C1", reported="2013-04-09", group="trafficking"
    )
    world.person("police", "a/1", "P1", file="a", sex="male", born="1990-05-05", arrested="2013-01-06")
    world.person("police", "b/1", "P1", file="b", sex="female", born="1990-05-05", arrested="2013-01-07")
    world.case("police", "c", "C2", reported="2031-02-05", group="trafficking", period="2013-Q2")
    world.person("police", "d/1", "P2", file="d", period="2013-Q3")
    world.cases["police", "d"] = "C3"
    world.case("prosecution", "1", "C1", received="2013-05-05").case("prosecution", "2", "C1", received="2013-02-05")
    world.person("prosecution", "10", "P1", file="1", charges=("trafficking",), indicted="2013-07-01")
    world.person("prosecution", "20", "P1", file="2", charges=("other",))
    assert explain_all(_Counted(world.inputs())) > 5


def test_a_total_names_the_record_behind_every_step(typed) -> None:
    code, out, _ = typed("cases_registered", "2013-Q1")
    assert code == 0
    assert "10 − 1 = 9" in out
    assert f"police:{AGAIN}" in out.split("The records behind each step")[1].split("The units counted")[0]
    assert f"represented by police:{CASE}" in " ".join(out.split())
    assert "rastet.csv" in out


@pytest.mark.parametrize(
    "words",
    [("persons_arrested 2013-Q1 [sex=male]",), ("persons_arrested", "2013-q1", "sex=male"), ("persons_arrested 2013-Q1, sex=male",)],
)
def test_a_figure_may_be_typed_in_several_ways(typed, words: tuple[str, ...]) -> None:
    code, out, _ = typed(*words)
    assert code == 0
    assert "There is no difference: every record" in out


def test_missing_deliveries_are_flagged(typed) -> None:
    _, out, _ = typed("cases_registered", "2013-Q2")
    assert "Incomplete: inspectorate 2013-Q2 missing." in out


def test_names_are_shown_to_stewards_alone(typed) -> None:
    _, plain, _ = typed("persons_arrested", "2013-Q1")
    _, contains_names, _ = typed("persons_arrested", "2013-Q1", "--names")
    assert not [secret for secret in SECRETS if secret in plain]
    assert "Arben Krasniqi" in contains_names


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("cases_counted", "2013"), "is not an indicator: use one of cases_registered"),
        (("cases_registered",), "add a year or a quarter"),
        (("cases_registered", "2013-Q5"), "is not a period: a year looks like 2013, a quarter like 2013-Q2"),
        (("cases_registered", "March"), "is not a period"),
        (("cases_registered", "1999"), "nothing is published for 1999"),
        (("cases_registered", "2013", "sex=male"), "is not broken down by sex, only by offence_group"),
        (("persons_arrested", "2013", "sex=M"), "is not a value of sex: use one of male, female, unknown"),
        (("persons_arrested", "2013", "colour=red"), "is not a breakdown"),
        (("persons_arrested", "2013", "sex=male", "citizenship_group=foreign"), "is not published for persons_arrested"),
    ],
)
def test_what_is_no_figure_is_one_clear_line(typed, words: tuple[str, ...], message: str) -> None:
    code, out, err = typed(*words)
    assert (code, out) == (1, "")
    assert message in " ".join(err.split())
    assert len(err.strip().splitlines()) == 1


def test_records_that_do_not_add_up_are_never_shown(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_home(Workplace.from_paths(None, home.root)) as published:
        figure = parse_figure(published, "cases_registered 2013-Q1")
        rows = published.read_indicator_rows("cases_registered").iloc[1:]  # a lake of another run
        monkeypatch.setattr(published, "read_indicator_rows", lambda _: rows)
        with pytest.raises(HarmoniaError, match="different runs"):
            explain_figure(published, figure, show_names=False)


def test_the_order_of_records_does_not_depend_on_the_order_in_the_lake(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_home(Workplace.from_paths(None, home.root)) as published:
        figure = parse_figure(published, "cases_registered 2013-Q1")
        document = explain_figure(published, figure, show_names=False)
        rows = published.read_indicator_rows("cases_registered")
        monkeypatch.setattr(published, "read_indicator_rows", lambda _: rows.iloc[::-1].reset_index(drop=True))
        assert explain_figure(published, figure, show_names=False) == document
    units = next(section.blocks[0] for section in document.sections if section.title == "The units counted")
    records = [row[-1][0] for row in units.rows]
    assert len(records) > 1
    assert records == sorted(records)


def test_an_unknown_figure_is_reported_from_zero() -> None:
    world = World(("2013-Q1",)).case("police", "a", "C1", reported="2013-01-05").missing("courts", "2013-Q1")
    home = _Counted(world.inputs())
    document = explain_figure(home, parse_figure(home, "persons_convicted 2013-Q1"), show_names=False)
    assert ("as reported", "unknown") in document.facts
    assert any("not 0" in text.text for text in document.summary)


# File: case, person, days of stays, days of services. One victim with two files at centres and one at the office; one who is no victim;
# one whose days are exchanged: the twelfth of January, delivered by the end of January.
VICTIM_FILES = {
    ("social_work", "S1"): ("C1", "P1", ("2013-01-10", "2013-02-01", "2013-05-02"), ("2013-01-11", "2013-02-11", "2013-04-04")),
    ("social_work", "S2"): ("C1", "P1", ("2013-03-01", "2013-03-20"), ()),
    ("social_work", "S3"): ("C2", "P2", ("2013-02-02", "2013-02-10"), ("2013-02-03",)),
    ("social_work", "S4"): ("C3", "P3", ("2013-12-01",), ("2013-12-01",)),
    ("victim_protection", "V1"): ("C1", "P1", (), ("2013-01-20", "2013-02-20", "2013-12-31")),
}
STAYS = {
    ("S1", "2013-01-10"): None,
    ("S1", "2013-02-01"): "shelter_changed",
    ("S1", "2013-05-02"): "shelter_changed",
    ("S2", "2013-03-01"): "registered_twice",
    ("S2", "2013-03-20"): "shelter_changed",
    ("S3", "2013-02-02"): "not_confirmed",
    ("S3", "2013-02-10"): "not_confirmed",
    ("S4", "2013-12-01"): "date_corrected",
}


@pytest.fixture(scope="module")
def victims() -> _Counted:
    world = World()
    months = [f"2013-{n:02d}" for n in range(1, 13)]
    world.deliveries = [delivery for delivery in world.deliveries if delivery["institution"] != "social_work"]
    world.deliveries += [{"institution": "social_work", "delivery": m, "period": m, "version": 1, "state": "complete"} for m in months]
    for (institution, key), (case, person, stays, services) in VICTIM_FILES.items():
        period = "2013-01" if key == "S4" else "2013-12" if institution == "social_work" else "2013-Q4"
        world.case(institution, key, case, period=period)
        events = {name: days for name, days in (("sheltered", stays), ("assisted", services)) if days}
        status = "not_confirmed" if key == "S3" else "identified"
        world.person(institution, key, person, file=key, period=period, victim_status=status, **events)
    return _Counted(world.inputs())


def test_each_stay_in_a_shelter_is_explained(victims: _Counted) -> None:
    quarters = {f"2013-Q{n}": {day for _, day in STAYS if (int(day[5:7]) + 2) // 3 == n} for n in range(1, 5)}
    for period, days in {"2013": {day for _, day in STAYS}, **quarters}.items():
        rows = find_figure_records(victims, parse_figure(victims, f"victims_sheltered {period}")).reported
        found = {(r["record_key"], str(r["own_date"])[:10]): r["cause"] for r in rows.fillna({"cause": ""}).to_dict("records")}
        expected = {key: cause or "" for key, cause in STAYS.items() if key[1] in days}
        if period == "2013":  # the day is imputed within the year
            expected["S4", "2013-12-01"] = ""
        assert found == expected, period


def test_a_file_with_services_counts_once_in_each_period(victims: _Counted) -> None:
    by_period = {"2013": (4, 2), "2013-Q1": (3, 2), "2013-Q2": (1, 1), "2013-Q3": (0, 0), "2013-Q4": (2, 1)}
    for period, (reported, counted) in by_period.items():
        found = find_figure_records(victims, parse_figure(victims, f"victims_assisted {period}"))
        assert (len(found.reported), len(found.units)) == (reported, counted), period
    first = find_figure_records(victims, parse_figure(victims, "victims_assisted 2013-Q1"))
    steps = {(r["institution"], r["cause"]): r["n"] for r in first.steps.to_dict("records")}
    assert steps == {
        ("social_work", "not_confirmed"): -1,
        ("social_work", "date_corrected"): 1,
        ("victim_protection", "other_institution"): -1,
    }
    page = explain_figure(victims, parse_figure(victims, "victims_assisted 2013-Q1"), show_names=False)
    assert "its own date is in another period" in str(page.sections)


@pytest.mark.slow
def test_every_figure_of_victims_adds_up_by_its_records(victims: _Counted) -> None:
    rows = victims.query("SELECT * FROM statistics WHERE indicator IN ('victims_sheltered', 'victims_assisted') AND as_reported > 0")
    assert len(rows) > 20
    for row in rows.to_dict("records"):
        words = " ".join([row["indicator"], row["period"], *(f"{d}={row[d]}" for d in DIMENSIONS)])
        explain_figure(victims, parse_figure(victims, words), show_names=False)
