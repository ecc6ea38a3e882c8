"""`harmonia review` as a steward types it: what is shown, what is entered, and one clear line for whatever is wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest
from acting_world import acting_as
from review_world import make_home
from sqlalchemy import select

from harmonia.cli import main as cli
from harmonia.home import Home
from harmonia.registry import open_registry
from harmonia.registry.tables import Audit
from harmonia.review.judgements import combine_judgements, read_judgements
from harmonia.review.pairs import PAIR, compute_pair_ids
from harmonia.review.published import PublishedRun
from harmonia.review.sampling import count_labels, read_sampled_pairs

COMMANDS = ("list", "show", "decide", "export", "import", "sample", "estimate")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(tmp_path_factory.mktemp("commands") / "home").root


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "home")
    return tmp_path / "home"


class Typed:
    """The command line in this process: exit code, output, and the line on standard error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: object, by: str = "") -> tuple[int, str, str]:
        if by:
            acting_as(Path(str(arguments[arguments.index("--home") + 1])), by)
        self._monkeypatch.setattr(sys, "argv", ["harmonia", "review", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = self._capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    return Typed(monkeypatch, capsys)


def a_pair(home: Path, entity: str = "person") -> str:
    decisions = PublishedRun(Home(home), 1, "").read_decisions()
    return str(decisions.loc[decisions["entity"] == entity, "pair"].iloc[0])


def test_help_starts_without_heavy_modules():
    code = (
        "import sys, harmonia.cli.main; print(*(m for m in ('dagster', 'duckdb', 'pandas', 'openpyxl', 'sqlalchemy') if m in sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_home_never_run_is_one_line(typed, tmp_path, command):
    arguments = {
        "show": ["person-aaaaaaaaaaaa"],
        "decide": ["person-aaaaaaaaaaaa", "same", "--why", "x"],
        "export": [tmp_path / "x.xlsx"],
        "import": [tmp_path / "x.xlsx"],
    }.get(command, [])
    code, _, error = typed(command, *arguments, "--home", tmp_path / "none")
    assert code == 1
    assert "has no finished run" in error
    assert not (tmp_path / "none").exists()


def test_list_shows_keys_weight_influence_and_state(typed, home):
    code, out, _ = typed("list", "--home", home, "--limit", 3)
    assert code == 0
    assert all(word in out for word in ("pair", "weight", "influence", "state", "open", "2013-PR-"))
    assert "Krasniqi" not in out


def test_names_are_shown_on_request_and_noted(typed, home):
    pair = a_pair(home)
    _, plain, _ = typed("show", pair, "--home", home)
    assert "\n name " not in plain
    assert "Weight" in plain
    _, named, _ = typed("show", pair, "--home", home, "--names", "--blind", by="Ana")
    assert "\n name " in named
    assert "Weight" not in named
    registry = open_registry(Home(home).registry_url)
    with registry.read() as session:
        noted = session.scalars(select(Audit)).all()
    assert [(one.who, one.subject) for one in noted] == [("Ana", pair)]


def test_a_judgement_is_entered_shown_and_undone(typed, home):
    pair = a_pair(home)
    assert "same, from the next run on" in typed("decide", pair, "same", "--why", "one man", "--home", home, by="Ana")[1]
    assert "nothing was entered" in typed("decide", pair, "same", "--why", "one man", "--home", home, by="Ana")[1]
    assert "disputed" in typed("decide", pair, "different", "--why", "two men", "--home", home, by="Bo")[1]
    assert "disputed" in typed("list", "--home", home, "--limit", 1000)[1]
    typed("decide", pair, "withdrawn", "--why", "was wrong", "--home", home, by="Bo")
    assert "two men" in typed("show", pair, "--home", home)[1]
    assert pair not in typed("list", "--home", home, "--limit", 1000)[1]
    assert pair in typed("list", "--home", home, "--limit", 1000, "--all")[1]


def test_two_records_that_were_never_compared_can_be_judged(typed, home):
    code, out, _ = typed("decide", "case:police:2013-PR-00001~prosecution:1007", "same", "--why", "x", "--home", home, by="Ana")
    assert code == 0
    assert "Judgement entered" in out


def test_contradicting_judgements_are_said(typed, home):
    for pair, verdict in (("1001~prosecution:1002", "same"), ("1002~prosecution:1003", "same"), ("1001~prosecution:1003", "different")):
        _, out, _ = typed("decide", f"case:prosecution:{pair}", verdict, "--why", "x", "--home", home, by="Ana")
    assert "contradicts other judgements" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "person-aaaaaaaaaaaa"], "is unknown in home"),
        (["show", "nonsense"], "is not a pair"),
        (["show", "case:police:2013-PR-00001~police:2013-PR-99999"], "case record 2013-PR-99999 of police is not in any delivery"),
        (["decide", "person-aaaaaaaaaaaa", "same", "--why", "x"], "is unknown in home"),
        (["decide", "case:police:2013-PR-00001~prosecution:1001", "same", "--why", ""], "why is empty"),
        (["estimate"], "has no blind sample"),
        (["export", "x.xlsx", "--sample", "7"], "has no blind sample"),
        (["export", "x.ods"], "end in .xlsx"),
    ],
)
def test_what_is_wrong_is_one_line(typed, home, arguments, said):
    code, _, error = typed(*arguments, "--home", home)
    assert code == 1
    assert said in error
    assert error.count("\n") == 1


def test_an_empty_queue_is_no_error(typed, tmp_path):
    home = make_home(tmp_path / "small", 0).root
    code, out, _ = typed("list", "--home", home)
    assert (code, "No pair is in doubt" in out) == (0, True)
    code, _, error = typed("export", tmp_path / "x.xlsx", "--home", home)
    assert (code, "no open pair" in error) == (1, True)


def test_a_blind_sample_goes_out_without_weights_comes_back_and_is_measured(typed, home, tmp_path):
    _, out, _ = typed("sample", "--pairs", 30, "--seed", 5, "--home", home)
    assert "Sample 1: 30 of" in out
    assert "no pair of sample 1 was judged" in typed("estimate", "--home", home)[2]
    path = tmp_path / "blind.xlsx"
    typed("export", path, "--sample", 1, "--home", home)
    book = openpyxl.load_workbook(path)
    sheet = book["Pairs"]
    at = {cell.value: cell.column for cell in sheet[1]}
    assert not {"weight", "decision", "moves", "stratum"} & set(at)
    registry = open_registry(Home(home).registry_url)
    shown = [sheet.cell(row, at["pair"]).value for row in range(2, sheet.max_row + 1)]
    assert shown == compute_pair_ids(read_sampled_pairs(registry)).tolist()
    for row in range(2, sheet.max_row + 1):
        sheet.cell(row, at["verdict"]).value = "same" if row % 2 else "different"
        sheet.cell(row, at["steward"]).value = "Ana"
    book.save(path)
    assert typed("import", path, "--home", home)[0] == 0
    counted = count_labels(registry, 1)
    assert counted[["same", "different"]].to_numpy().sum() == 30
    assert read_judgements(registry)["blind"].all()
    _, out, _ = typed("estimate", "--home", home)
    assert "30 of 30 pairs judged" in out
    assert all(word in out for word in ("precision", "recall", "low", "high"))
    typed("sample", "--pairs", 30, "--seed", 5, "--home", home)
    again = read_sampled_pairs(registry)
    assert again.loc[again["sample"] == 1, PAIR].reset_index(drop=True).equals(again.loc[again["sample"] == 2, PAIR].reset_index(drop=True))


def test_judgements_given_with_the_weight_in_view_label_no_sample(typed, home):
    typed("sample", "--pairs", 5, "--home", home)
    registry = open_registry(Home(home).registry_url)
    pair = compute_pair_ids(read_sampled_pairs(registry)).iloc[0]
    typed("decide", pair, "same", "--why", "x", "--home", home, by="Ana")
    assert count_labels(registry, 1)["same"].sum() == 0
    typed("decide", pair, "same", "--why", "x", "--blind", "--home", home, by="Ana")
    assert count_labels(registry, 1)["same"].sum() == 1


def test_judgements_hold_in_the_next_run_and_those_after(typed, home):
    decisions = PublishedRun(Home(home), 1, "").read_decisions()
    joined = decisions[(decisions["entity"] == "person") & (decisions["decision"] == "joined")].iloc[0]
    typed("decide", joined["pair"], "different", "--why", "two men", "--home", home, by="Ana")
    for _ in range(2):
        registry = open_registry(Home(home).registry_url)
        make_home(home, 26, combine_judgements(read_judgements(registry)))
        clusters = (
            PublishedRun(Home(home), 1, "").read_lake_table("identities", "persons").set_index(["institution", "record_key"])["person_id"]
        )
        assert clusters[joined["institution_a"], joined["key_a"]] != clusters[joined["institution_b"], joined["key_b"]]
