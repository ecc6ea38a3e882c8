"""Declarations are checked against their types when they are loaded: file, key, value and remedy in one line, before a run begins."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import yaml

from harmonia import declarations
from harmonia.comparison import agreements
from harmonia.errors import HarmoniaError
from pipelines.checks.delivery_tolerances import make_deadline_cron
from schemas import canonical, domain_folder
from schemas.yaml_declarations import read_yaml
from sources import contract, number_forms
from sources.periods import Cadence
from warehouse.indicators import catalogue, read_indicator

POLICE = contract.SOURCES / "police" / "contract.yaml"


def test_what_is_shipped_is_declared_well() -> None:
    declarations.check_declarations()


def changed(folder: Path, change: Callable[[dict[str, object]], object]) -> Path:
    """The police's contract, with one thing changed."""
    raw = read_yaml(POLICE)
    change(raw)
    path = folder / "police" / "contract.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(raw, allow_unicode=True, sort_keys=False), "utf-8")
    return path


def at(*keys: str, value: object) -> Callable[[dict[str, object]], object]:
    def change(raw: dict[str, object]) -> None:
        place = raw
        for key in keys[:-1]:
            place = place[key]  # type: ignore[assignment]
        place[keys[-1]] = value

    return change


KEY = ("tables", "rastet", "columns", "Nr_rastit")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (at("due_days", value=90), "due_days is 90: it must be less than or equal to 80"),
        (at("due_days", value="soon"), "due_days is 'soon': it must be a valid integer"),
        (at("due_days", value=0), "due_days is 0: it must be greater than or equal to 1"),
        (lambda raw: raw.pop("due_days"), "due_days is missing: add it"),
        (at("duedays", value=15), "duedays is not a known key"),
        (at("cadence", value="weekly"), "cadence is 'weekly': it must be 'monthly', 'quarterly', 'half_yearly' or 'yearly'"),
        (at("language", value="de"), "language is 'de': it must be 'sq', 'sr' or 'en'"),
        (at("institution", value="customs"), "institution is 'customs': it must be the name of the folder, police"),
        (at("publisher", "sr", value=""), "publisher .* add sr"),
        (at("contact", value="the police"), "contact is 'the police'"),
        (at("tolerances", value={"validity": 5}), "tolerances.validity is 5: it must be less than or equal to 1"),
        (at("tolerances", value={"beauty": 0.5}), "tolerances is 'beauty': it must be one of completeness"),
        (at(*KEY, "type", value="numbr"), r"tables\.rastet\.columns\.Nr_rastit\.type is 'numbr': it must be one of text"),
        (at(*KEY, "requird", value=True), r"tables\.rastet\.columns\.Nr_rastit\.requird is not a known key"),
        (at(*KEY, "pattern", value="(["), r"tables\.rastet\.columns\.Nr_rastit\.pattern .* regular expression"),
        (at(*KEY, "key", value=False), r"tables\.rastet\.columns\.Nr_rastit\.key is False"),
        (at("tables", "rastet", "key", value=["Nr"]), r"tables\.rastet\.key is 'Nr': it must be a column of the table"),
        (at("tables", "personat", "parent", value="rast"), r"tables\.personat\.parent is 'rast'"),
        (at("tables", "rastet", "columns", "Statusi", "codes", value={"Jo": False}), r"columns\.Statusi\.codes\.Jo is False"),
        (at("tables", "rastet", "columns", value=["Nr_rastit"]), r"tables\.rastet\.columns is \['Nr_rastit'\]"),
        (at("tables", value=None), "tables is None"),
        (at("files", value=[]), "files is \\[\\]"),
        (at("files", value=[{"name": "rastet.csv", "reader": "csv", "tables": ["rastet"]}]), r"files\.rastet\.csv\.reader is 'csv'"),
        (
            at("files", value=[{"name": "rastet.csv", "reader": "delimited", "tables": ["rastet"]}]),
            r"tables\.personat is 0: that many files",
        ),
        (
            at("files", value=[{"name": "r.csv", "reader": "delimited", "tables": ["rastet", "personat"], "options": {"headr": 1}}]),
            r"files\.r\.csv\.options is 'headr': the reader delimited knows only encoding",
        ),
        (
            at("files", value=[{"name": "r.csv", "reader": "delimited", "tables": ["rastet", "personat"], "options": {"encoding": "cp9"}}]),
            r"options\.encoding is 'cp9': it must be a name that Python knows",
        ),
        (at("delivers_from", value="2013"), "delivers_from is '2013'"),
        (
            lambda raw: raw.update(delivers_from=date(2014, 1, 1), delivers_until=date(2013, 1, 1)),
            "delivers_until is '2013-01-01': it must not be earlier than delivers_from",
        ),
        (at("compared", value={"telephone": "Nr_rastit"}), "compared is 'telephone': it must be one of number, reference"),
        (at("compared", value={"number": "Nr"}), r"compared\.number is 'Nr': it must be a column of a table"),
        (at("units", "table", value="stacionet"), r"units\.table is 'stacionet'"),
        (at("tables", "personat", "header", value="perhaps"), r"tables\.personat\.header is 'perhaps'"),
        (
            at("tables", "personat", "person_kind", value="Emri"),
            r"tables\.personat\.person_kind is 'Emri': .* codes for natural, legal, unknown",
        ),
        (at("tables", "personat", "age_class", value="Roli"), r"tables\.personat\.age_class is 'Roli': .* codes for child, adult, unknown"),
        (at("tables", "rastet", "columns", "Nr_PP", "codes_from", value={"2014-07-01": {"A": "sent"}}), r"Nr_PP\.codes_from is .*`codes`"),
        (at("tables", "rastet", "columns", "Statusi", "codes_from", value={"soon": {"A": "sent"}}), r"columns\.Statusi\.codes_from"),
    ],
)
def test_a_contract_that_says_what_it_cannot(tmp_path: Path, change: Callable[[dict[str, object]], object], said: str) -> None:
    path = changed(tmp_path, change)
    with pytest.raises(HarmoniaError, match=said) as error:
        contract.read_contract(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_an_indicator_that_does_not_exist_counts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = contract.load
    monkeypatch.setattr(contract, "load", lambda name: replace(loaded(name), counts_in=("cases_registerd",)))
    with pytest.raises(
        HarmoniaError, match=r"contract\.yaml: counts_in is 'cases_registerd': it must be an indicator: one of cases_registered"
    ):
        declarations.check_indicators_named_by_contracts(["cases_registered"])


def test_a_definition_names_the_institutions_that_joined_the_indicator(monkeypatch: pytest.MonkeyPatch) -> None:
    path = domain_folder.find_path_in_domain("indicators") / "cases_registered.yaml"
    written, loaded = yaml.safe_load(path.read_text("utf-8"))["definition"], contract.load
    assert dict(catalogue.load_definition(path).definition) == written
    monkeypatch.setattr(
        contract, "load", lambda name: replace(loaded(name), counts_in=("cases_registered",)) if name == "corrections" else loaded(name)
    )
    named = {
        language: yaml.safe_load((contract.SOURCES / "corrections" / "contract.yaml").read_text("utf-8"))["publisher"][language]
        for language in written
    }
    for definition in (
        catalogue.load_definition(path).definition,
        read_indicator(path, yaml.safe_load(path.read_text("utf-8"))).definition,
    ):
        assert all(definition[language].startswith(f"{written[language]} ") for language in written)
        assert all(definition[language].endswith(f": {named[language]}.") for language in written)


def test_a_column_of_own_numbers_needs_their_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_forms, "number_forms", dict)
    with pytest.raises(
        HarmoniaError, match=r"tables\.rastet\.columns\.Nr_rastit\.type is 'number': it needs `cited_as` and the file .*numbers\.py"
    ):
        number_forms.check_columns_of_own_numbers()


@pytest.mark.parametrize(("text", "said"), [("a: [", "line 2: is not YAML"), ("- a", "a contract is a mapping"), ("", "the file is None")])
def test_a_contract_that_is_none(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "contract.yaml"
    path.write_text(text)
    with pytest.raises(HarmoniaError, match=said):
        contract.read_contract(path)


def test_an_institution_is_wholly_there_and_of_its_own_name_or_refused(tmp_path: Path) -> None:
    here, further = tmp_path / "sources", tmp_path / "further"
    for folder in (here / "police", further / "police", here / "readers"):
        folder.mkdir(parents=True)
    for part in ("contract.yaml", "reader.py", "mapping.py"):
        (here / "police" / part).touch()
        (further / "police" / part).touch()
    assert dict(contract.find_institution_folders(here)) == {"police": here / "police"}
    with pytest.raises(HarmoniaError, match=r"further/police: an institution of this name is in .*sources/police: rename"):
        contract.find_institution_folders(here, further)
    with pytest.raises(HarmoniaError, match=r"HARMONIA_SOURCES names .*nowhere, which is not a folder"):
        contract.find_institution_folders(here, tmp_path / "nowhere")
    (here / "customs").mkdir()
    (here / "customs" / "mapping.py").touch()
    with pytest.raises(HarmoniaError, match=r"customs: lacks .*customs/contract\.yaml, .*customs/reader\.py: complete the institution"):
        contract.find_institution_folders(here)


def test_no_institution_is_named_outside_its_folder() -> None:
    root = Path(contract.SOURCES).parent
    folders = [root / "harmonia", root / "pipelines", root / "warehouse", root / "schemas", root / "sources" / "readers"]
    paths = [*(path for folder in folders for path in folder.rglob("*.py")), *(root / "sources").glob("*.py")]
    stages = set(canonical.STAGES)
    named = [name for name in contract.institutions() if name not in stages]  # the others have the name of their stage
    pattern = re.compile(rf"""["']({"|".join(named)})["']|institution"\] == ["']""")
    found = [
        f"{path.relative_to(root)}: {line.strip()}"
        for path in paths
        if path.parent.name != "exports"
        for line in path.read_text("utf-8").splitlines()
        if pattern.search(line)
    ]
    assert found == []


def test_an_institution_that_no_indicator_counts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract, "institutions", lambda: ("police", "customs"))
    with pytest.raises(HarmoniaError, match=r"sources/customs: no indicator counts it: list indicators under `counts_in`"):
        declarations.check_institutions_are_counted(["police"])


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([{"recievers": ["courts"]}], "recievers is not a known key"),
        ([{"receivers": "courts"}], "receivers is 'courts'"),
        ("all", "agreements is 'all'"),
    ],
)
def test_agreements_of_another_shape(tmp_path: Path, entries: object, said: str) -> None:
    (tmp_path / "police").mkdir()
    (tmp_path / "police" / "agreements.yaml").write_text(yaml.safe_dump({"agreements": entries}))
    with pytest.raises(HarmoniaError, match=said):
        agreements.load_agreements(tmp_path)


@pytest.mark.parametrize(
    ("due", "expected"), [(15, "0 0 16 1,4,7,10 *"), (30, "0 0 1 2,5,8,11 *"), (45, "0 0 16 2,5,8,11 *"), (80, "0 0 22 3,6,9,12 *")]
)
def test_a_deadline_of_any_number_of_days_is_a_day_that_every_quarter_has(due: int, expected: str) -> None:
    assert make_deadline_cron(due) == expected


@pytest.mark.parametrize(
    ("due", "cadence", "expected"),
    [(10, "monthly", f"0 0 11 {','.join(map(str, range(1, 13)))} *"), (60, "half_yearly", "0 0 2 3,9 *"), (100, "yearly", "0 0 11 4 *")],
)
def test_a_deadline_follows_the_cadence(due: int, cadence: Cadence, expected: str) -> None:
    assert make_deadline_cron(due, cadence) == expected


@pytest.mark.slow
@pytest.mark.parametrize("command", [["run"], ["status"], ["check", "inbox/police/2013-Q1"]])
def test_run_status_and_check_say_it_in_one_line(tmp_path: Path, command: list[str]) -> None:
    """In a copy of the program, since contracts are part of it."""
    root = contract.SOURCES.parent
    for part in ("harmonia", "pipelines", "portal", "schemas", "sources", "warehouse"):
        shutil.copytree(root / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "inbox" / "police" / "2013-Q1").mkdir(parents=True)
    broken = tmp_path / "sources" / "courts" / "contract.yaml"
    broken.write_text(broken.read_text("utf-8").replace("due_days: 15", "due_days: 90"), "utf-8")
    options = [] if command[0] == "check" else ["--inbox", "inbox", "--home", "home"]
    done = subprocess.run(
        [sys.executable, "-c", "from harmonia.cli.main import main; main()", *command, *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "sources/courts/contract.yaml: due_days is 90" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "home" / "landing").exists() or not any((tmp_path / "home" / "landing").rglob("?" * 64))
