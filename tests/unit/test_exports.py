"""Exports: what others' tools say of them, what leaves the house in full only with an approval, the same bytes from the same release."""

from __future__ import annotations

import io
import json
import shutil

import frictionless
import openpyxl
import pandas as pd
import pytest
import sdmx
from pysdmx.io import read_sdmx
from sqlalchemy import select

from harmonia.errors import HarmoniaError
from harmonia.registry import open_registry
from harmonia.registry.tables import Audit
from pipelines.resources.workplace import Workplace
from tests.release_world import release, reported, signed, source, units
from warehouse.exports import catalogue, territory, transmission_approval
from warehouse.exports.questionnaires import questionnaires
from warehouse.releases.reading import open_release

VICTIMS = "victims_identified"
LANGUAGES = ("sq", "sr", "en")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with one release: 32 victims of 2013, of them three foreign men. Beside it the coordinator's key."""
    where = tmp_path_factory.mktemp("exports") / "home"
    signed(where)
    men = {"sex": "male"}
    victims = units(VICTIMS, 2013, (20, {}), (9, {**men, "age_group": "child"}), (3, {**men, "citizenship_group": "foreign"}))
    release(where, "2015-03-31", source(victims, [2013], {("persons_arrested", 2013): "all"}))
    return where


@pytest.fixture
def workplace(home):
    return Workplace.from_paths(None, home)


def read_by_another(path, **options):
    """SDMX-ML as `sdmx1` reads it."""
    return sdmx.read_sdmx(io.BytesIO(path.read_bytes()), **options)


def figures(path):
    """The answers of a questionnaire's workbook."""
    book = openpyxl.load_workbook(path)
    rows = list(book.worksheets[1].iter_rows(values_only=True))
    return pd.DataFrame(rows[1:], columns=rows[0])


def test_the_data_package_is_valid_for_frictionless(home, tmp_path):
    catalogue.publish_export(home / "releases", "package", None, "en", tmp_path / "out")
    report = frictionless.validate(str(tmp_path / "out" / "datapackage.json"))
    assert report.valid, report.flatten(["type", "note"])


def test_the_data_package_of_later_releases_is_valid_for_frictionless(tmp_path):
    """Windows beside years, and lines of the bridge that an earlier release printed."""
    signed(tmp_path / "home")
    groups = (20, {}), (9, {"sex": "male", "age_group": "child"}), (7, {"offence_group": "other"})
    victims = [unit for year in (2012, 2013, 2014) for unit in units(VICTIMS, year, *groups)]
    for day, years in (("2013-12-31", [2012]), ("2014-12-31", [2012, 2013]), ("2016-12-31", [2012, 2013, 2014])):
        known = source([one for one in victims if one["day"].year in years], years)
        release(tmp_path / "home", day, reported(known, VICTIMS, 2012, {"same_person": -9, "registered_twice": -8}))
    catalogue.publish_export(tmp_path / "home" / "releases", "package", None, "en", tmp_path / "out")
    last = open_release(tmp_path / "home" / "releases")
    assert (last.cube["period_type"] == "window").any()
    assert last.table("bridge")["edition"].min() < last.name
    report = frictionless.validate(str(tmp_path / "out" / "datapackage.json"))
    assert report.valid, report.flatten(["type", "note"])


def test_every_column_of_the_package_is_described(home, tmp_path):
    catalogue.publish_export(home / "releases", "package", None, "en", tmp_path / "out")
    said = json.loads((tmp_path / "out" / "datapackage.json").read_text("utf-8"))
    tables = [r for r in said["resources"] if r["format"] == "csv"]
    assert {t["name"] for t in tables} >= {"cube", "bridge", "coverage", "definitions", "labels", "causes"}
    assert not [f["name"] for t in tables for f in t["schema"]["fields"] if f["description"] == f["name"]]


def test_sdmx_is_valid_for_the_standards_schemas_and_read_by_another_library(home, tmp_path):
    structure, data = catalogue.publish_export(home / "releases", "sdmx", None, "en", tmp_path / "out")
    for path in (structure, data):
        read_sdmx(path, validate=True)
    options = read_by_another(structure)
    read = sdmx.to_pandas(read_by_another(data, structure=options.structure["DSD_THB"]))
    cube = open_release(home / "releases").cube
    assert len(read) == len(cube)
    assert read.sum() == cube["value"].sum()


def test_sdmx_lists_have_words_in_all_languages(home, tmp_path):
    structure, _ = catalogue.publish_export(home / "releases", "sdmx", None, "en", tmp_path / "out")
    lists = read_by_another(structure).codelist
    assert not [code.id for codes in lists.values() for code in codes if set(code.name.localizations) != set(LANGUAGES)]


def test_the_territory_and_its_footnote_are_a_setting(home, tmp_path, monkeypatch):
    monkeypatch.setenv(territory.CODE_VARIABLE, "XKX")
    monkeypatch.setenv(territory.NOTE_VARIABLE, "no")
    _, data = catalogue.publish_export(home / "releases", "sdmx", None, "en", tmp_path / "out")
    assert 'REF_AREA="XKX"' in data.read_text("utf-8")
    assert territory.make_territory_name("en") == "Kosovo"
    monkeypatch.setenv(territory.CODE_VARIABLE, "KS")
    with pytest.raises(HarmoniaError, match="XK, XKX"):
        territory.find_territory_code()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_questionnaire_answers_from_the_protected_figures_alone(home, tmp_path, lang):
    (path,) = catalogue.publish_export(home / "releases", "glotip", None, lang, tmp_path / "out")
    found = figures(path)
    cube = open_release(home / "releases").cube
    asked = {(q.indicator, t) for q in questionnaires()["glotip"].questions for t in q.tables}
    answering = pd.Series([pair in asked for pair in zip(cube["indicator"], cube["table"], strict=True)], index=cube.index)
    mine = cube[(cube["measure"] == "harmonised") & answering]
    assert sorted(found.iloc[:, 5].dropna()) == sorted(mine["value"].dropna())
    assert 3 not in set(found.iloc[:, 5].dropna()), "the three foreign men are joined with others"
    assert set(found.iloc[:, 7]) == {"F"}


@pytest.mark.parametrize("name", sorted(questionnaires()))
def test_the_same_release_gives_the_same_workbook(home, tmp_path, name):
    (one,) = catalogue.publish_export(home / "releases", name, None, "sq", tmp_path / "one")
    (other,) = catalogue.publish_export(home / "releases", name, None, "sq", tmp_path / "other")
    assert one.read_bytes() == other.read_bytes()


def test_what_no_source_knows_is_listed_with_who_would():
    for form in questionnaires().values():
        assert [q for q in form.questions if q.not_available], form.code


def test_full_figures_need_a_recipient_and_an_approval_of_just_that(workplace, tmp_path):
    key, out, signed_file = workplace.home.root.parent / "coordinator.pem", tmp_path / "out", tmp_path / "approval.json"
    with pytest.raises(HarmoniaError, match="--recipient"):
        catalogue.write_full_export(workplace, "glotip", None, "en", out, None, None)
    with pytest.raises(HarmoniaError, match="harmonia export approve"):
        catalogue.write_full_export(workplace, "glotip", None, "en", out, "UNODC", None)
    sent = catalogue.make_transmission_to_approve(workplace.home.releases, "glotip", None, "UNODC")
    transmission_approval.write_approval(workplace.home.root, key, sent, "A Coordinator", "2015-04-01", signed_file)
    with pytest.raises(HarmoniaError, match="something else"):
        catalogue.write_full_export(workplace, "glotip", None, "en", out, "somebody", signed_file)
    signed_file.write_text(signed_file.read_text("utf-8").replace("2015-04-01", "2015-04-02"), "utf-8")
    with pytest.raises(HarmoniaError, match="changed since"):
        catalogue.write_full_export(workplace, "glotip", None, "en", out, "UNODC", signed_file)
    assert not out.exists()


def test_full_figures_are_marked_private_and_logged(workplace, tmp_path):
    sent = catalogue.make_transmission_to_approve(workplace.home.releases, "eurostat", None, "Eurostat")
    transmission_approval.write_approval(
        workplace.home.root, workplace.home.root.parent / "coordinator.pem", sent, "A Coordinator", "2015-04-01", tmp_path / "a.json"
    )
    (path,) = catalogue.write_full_export(workplace, "eurostat", None, "en", tmp_path / "out", "Eurostat", tmp_path / "a.json")
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    found = figures(path)
    foreign = found[(found["Category"] == "Foreign citizens") & found["Question"].str.startswith("Victims")]
    assert foreign[["Figure", "Confidentiality"]].values.tolist() == [[3, "C"]]
    registry = open_registry(workplace.registry)
    with registry.read() as session:
        logged = session.scalars(select(Audit)).all()
    registry.close()
    assert [one.action for one in logged if "to Eurostat, approved by A Coordinator" in one.subject] == ["transmission"]


def test_victims_one_by_one_are_never_public(workplace, tmp_path):
    with pytest.raises(HarmoniaError, match="never public"):
        catalogue.publish_export(workplace.home.releases, "htcds", None, "en", tmp_path / "out")
    sent = catalogue.make_transmission_to_approve(workplace.home.releases, "htcds", None, "IOM")
    transmission_approval.write_approval(
        workplace.home.root, workplace.home.root.parent / "coordinator.pem", sent, "A Coordinator", "2015-04-01", tmp_path / "a.json"
    )
    (path,) = catalogue.write_full_export(workplace, "htcds", None, "en", tmp_path / "out", "IOM", tmp_path / "a.json")
    found = pd.read_csv(io.BytesIO(path.read_bytes()))
    assert found["gender"].value_counts().to_dict() == {"Feminine": 20, "Masculine": 12}
    assert found["meansOfControl"].isna().all(), "no source delivers it"


def test_an_unknown_export_or_language_says_what_there_is(home, tmp_path):
    with pytest.raises(HarmoniaError, match="eurostat"):
        catalogue.publish_export(home / "releases", "eurostats", None, "en", tmp_path)
    with pytest.raises(HarmoniaError, match="sq, sr, en"):
        catalogue.publish_export(home / "releases", "eurostat", None, "de", tmp_path)


def test_a_touched_release_is_not_exported(home, tmp_path):
    touched = shutil.copytree(home / "releases", tmp_path / "releases")
    path = touched / "2015-03-31" / "public" / "cube.parquet"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(HarmoniaError, match="modified"):
        catalogue.publish_export(touched, "sdmx", None, "en", tmp_path)
