"""Releases: the form of a folder, identical bytes, touched files, what a policy without signature does."""

from __future__ import annotations

import io

import pandas as pd
import pytest
import yaml

from harmonia.errors import HarmoniaError
from tests.release_world import release, reported, signed, source, units
from warehouse.count import meanings_of_bridge_causes
from warehouse.disclosure import policy
from warehouse.disclosure_risk.intruder import Disclosure, ObservedTableName
from warehouse.indicators import indicators
from warehouse.releases import folder, recount
from warehouse.releases.reading import find_label_of_code, make_text_of_figure_status, open_release
from warehouse.releases.release_text import render_release_as_text

VICTIMS = "victims_identified"
OTHER = {"offence_group": "other"}


def world(year: int = 2013, women: int = 20, men: int = 9):
    return units(VICTIMS, year, (women, {}), (men, {"sex": "male", "age_group": "child"}), (7, OTHER))


@pytest.fixture
def home(tmp_path):
    signed(tmp_path / "home")
    return tmp_path / "home"


def test_the_same_inputs_give_the_same_bytes(home, tmp_path):
    signed(tmp_path / "again")
    one, other = (release(where, "2014-06-30", source(world(), [2013])) for where in (home, tmp_path / "again"))
    assert one.files == other.files


def test_breakdowns_come_one_release_after_the_total(home):
    release(home, "2014-03-31", source(world(), [2013]))
    first = open_release(home / "releases")
    assert first.figures(VICTIMS, "total", "2013")["value"].tolist() == [36]
    assert first.figures(VICTIMS, "sex", "2013").empty
    release(home, "2014-09-30", source(world(), [2013]))
    then = open_release(home / "releases").figures(VICTIMS, "sex", "2013")
    assert dict(zip(then["cell"], then["value"], strict=True)) == {"female": 20, "male": 9, "unknown": 0}


def test_a_year_total_changes_by_nothing_or_by_five_and_breakdowns_never(home):
    release(home, "2014-03-31", source(world(), [2013]))
    release(home, "2014-09-30", source(world(women=22), [2013]))
    held = open_release(home / "releases")
    assert held.figures(VICTIMS, "total", "2013")["value"].tolist() == [36]
    assert held.figures(VICTIMS, "sex", "2013")["value"].sum() == 29, "breakdowns add up to the published total"
    release(home, "2015-03-31", source(world(women=27), [2013]))
    moved = open_release(home / "releases")
    assert moved.figures(VICTIMS, "total", "2013")[["value", "revised"]].values.tolist() == [[43, True]]
    assert moved.figures(VICTIMS, "sex", "2013")["value"].sum() == 29


def test_a_total_goes_ahead_of_its_parts_where_these_differ_by_little(home):
    release(home, "2014-03-31", source(world(), [2013]))
    more = units(VICTIMS, 2013, (30, {}), (9, {"sex": "male", "age_group": "child"}), (9, OTHER))
    release(home, "2014-09-30", source(more, [2013]))
    ahead = open_release(home / "releases")
    assert ahead.figures(VICTIMS, "total", "2013")[["value", "known"]].values.tolist() == [[48, "2014-09-30"]]
    parts = ahead.figures(VICTIMS, "offence_group", "2013")[["cell", "value", "known"]].values.tolist()
    assert parts == [["trafficking", 29, "2014-03-31"], ["other", 7, "2014-03-31"]]
    assert ahead.figures(VICTIMS, "sex", "2013")["value"].sum() == 29, "breakdowns add up to printed trafficking"


def test_a_small_year_says_fewer_than_and_nothing_else(home):
    release(home, "2015-03-31", source(units(VICTIMS, 2013, (4, {})), [2013]))
    cube = open_release(home / "releases").cube
    mine = cube[cube["indicator"] == VICTIMS]
    assert mine[["table", "status", "limit"]].values.tolist() == [["total", "fewer_than", 6]]
    assert make_text_of_figure_status("fewer_than", "en", 6) == "Fewer than 6"


def test_no_delivery_is_not_zero(home):
    release(home, "2015-03-31", source(world(), [2013], {("persons_arrested", 2013): "all"}))
    row = open_release(home / "releases").figures("persons_arrested", "total", "2013")
    assert row["status"].tolist() == ["no_delivery"]
    assert row["value"].isna().all()


def test_a_total_without_its_trafficking_part_says_so(home):
    release(home, "2015-03-31", source(units("persons_arrested", 2013, (3, {}), (30, OTHER)), [2013]))
    cube = open_release(home / "releases").cube
    mine = cube[(cube["indicator"] == "persons_arrested") & (cube["measure"] == "harmonised")]
    assert mine[["table", "status"]].values.tolist() == [["offence_group", "not_broken_down"], ["total", "shown"]]


def test_a_touched_file_is_found(home):
    release(home, "2014-03-31", source(world(), [2013]))
    path = home / "releases" / "2014-03-31" / "public" / "cube.csv"
    path.write_bytes(path.read_bytes().replace(b"36", b"35"))
    with pytest.raises(HarmoniaError, match=r"2014-03-31 was modified: .*cube\.csv"):
        open_release(home / "releases")
    with pytest.raises(HarmoniaError, match="was modified"):
        folder.verify_release_chain(home / "releases")


def test_a_changed_older_release_is_found_even_with_its_sums_put_right(home):
    release(home, "2014-03-31", source(world(), [2013]))
    release(home, "2014-09-30", source(world(), [2013]))
    old = home / "releases" / "2014-03-31"
    manifest = old / "public" / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"A Coordinator", b"Another One"))
    (old / "SHA256SUMS").write_bytes(
        folder.make_checksum_file(
            {p.relative_to(old).as_posix(): p.read_bytes() for p in old.rglob("*") if p.is_file() and p.name != "SHA256SUMS"}
        )
    )
    with pytest.raises(HarmoniaError, match="2014-09-30 was created after 2014-03-31"):
        folder.verify_release_chain(home / "releases")


def test_a_release_that_counts_earlier_records_prints_each_form_by_its_name(home):
    """The breakdowns of the second release count the first one's records; no two forms have the same figure."""
    forms = {"sexual": 16, "forced_begging": 12, "slavery_servitude": 9, "unknown": 7}
    first = units(VICTIMS, 2013, *((n, {"form": form}) for form, n in forms.items()), (7, OTHER))
    release(home, "2014-03-31", source(first, [2013]))
    release(home, "2014-09-30", source(first + units(VICTIMS, 2013, (2, {}), start=100), [2013]))
    printed = open_release(home / "releases").figures(VICTIMS, "form", "2013")
    assert set(printed["known"]) == {"2014-03-31"}
    assert dict(zip(printed["cell"], printed["value"], strict=True)) == {"sexual": 16, "labour_begging": 12, "other": 9, "unknown": 7}


def test_the_recount_finds_exchanged_categories(home):
    release(home, "2014-03-31", source(world(), [2013]))
    made = release(home, "2014-09-30", source(world(), [2013]))
    files = {day: folder.read_verified_files(home / "releases" / day) for day in folder.release_names(home / "releases")}
    assert recount.find_mismatches_of_release(made.name, files) == []
    cube = pd.read_parquet(io.BytesIO(files[made.name]["public/cube.parquet"]))
    cube["cell"] = cube["cell"].replace({"female": "male", "male": "female"})
    files[made.name] = {**files[made.name], "public/cube.parquet": folder.as_parquet(cube)}
    assert sorted(recount.find_mismatches_of_release(made.name, files)) == [
        "victims_identified harmonised sex 2013 female: 9, counted 20",
        "victims_identified harmonised sex 2013 male: 20, counted 9",
    ]


def test_a_release_of_the_first_format_is_refused_with_the_way_out(home):
    release(home, "2014-03-31", source(world(), [2013]))
    where = home / "releases" / "2014-03-31"
    manifest = where / "public" / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"format": 2', b'"format": 1'))
    (where / "SHA256SUMS").write_bytes(
        folder.make_checksum_file(
            {p.relative_to(where).as_posix(): p.read_bytes() for p in where.rglob("*") if p.is_file() and p.name != "SHA256SUMS"}
        )
    )
    with pytest.raises(HarmoniaError, match=r"2014-03-31 has format 1, not 2: it may contain other categories' figures.*Withdrawn formats"):
        open_release(home / "releases")
    with pytest.raises(HarmoniaError, match="format 1"):
        release(home, "2014-09-30", source(world(), [2013]))


def test_a_release_is_never_overwritten(home):
    release(home, "2014-03-31", source(world(), [2013]))
    with pytest.raises(HarmoniaError, match="never overwritten"):
        release(home, "2014-03-31", source(world(women=40), [2013]))


def test_releases_come_in_order(home):
    release(home, "2014-09-30", source(world(), [2013]))
    with pytest.raises(HarmoniaError, match="later than 2014-03-31"):
        release(home, "2014-03-31", source(world(), [2013]))


def test_nothing_is_published_without_a_signature(tmp_path):
    with pytest.raises(HarmoniaError, match=r"not signed .*release sign"):
        policy.load_policy(tmp_path)


def test_a_policy_changed_after_it_was_signed_is_refused(home):
    path = home / policy.POLICY
    path.write_text(path.read_text("utf-8").replace("threshold: 5", "threshold: 3"), "utf-8")
    with pytest.raises(HarmoniaError, match="was changed after it was signed"):
        policy.load_policy(home)


def test_another_key_cannot_sign(home, tmp_path):
    with pytest.raises(HarmoniaError, match="does not match"):
        policy.sign_policy(home, tmp_path / "other.pem", "Somebody", "2014-02-01")


def test_an_unknown_language_is_refused(home):
    release(home, "2014-03-31", source(world(), [2013]))
    opened = open_release(home / "releases")
    with pytest.raises(HarmoniaError, match="language 'fr' is not known"):
        render_release_as_text(opened, "fr")
    assert "Viktima të identifikuara | 2013 | Gjithsej në vit" in render_release_as_text(opened, "sq")


def test_words_in_three_languages(home):
    assert find_label_of_code("sex", "male+unknown", "en") == "Male or sex not known"
    assert find_label_of_code("sex", "male+unknown", "sq") == "Meshkuj ose gjinia e panjohur"
    with pytest.raises(HarmoniaError, match="language 'de' is not known: one of sq, sr, en"):
        find_label_of_code("sex", "male", "de")


def test_a_revised_total_is_published_with_its_reason_and_no_number_of_records(home):
    release(home, "2014-03-31", source(world(), [2013]))
    release(home, "2014-09-30", source(world(women=26), [2013]))
    said = open_release(home / "releases").table("revisions")
    mine = said[(said["table"] == "total") & (said["measure"] == "harmonised")]
    assert mine[["before", "after", "reasons"]].values.tolist() == [[36, 42, "changed_rule"]], "no record moved in this world"
    assert "records" not in said.columns


def test_a_window_that_overlaps_an_earlier_one_is_refused_with_the_reason(tmp_path):
    home = tmp_path / "home"
    signed(home)
    persons = [u for year in (2012, 2013, 2014, 2015) for u in units(VICTIMS, year, (25, {}), (12, {"sex": "male"}), (8, OTHER))]
    release(home, "2016-06-30", source(persons, [2012, 2013, 2014, 2015]))
    assert not open_release(home / "releases").figures(VICTIMS, "sex_age_group", "2012/2014").empty
    moved = (home / policy.POLICY).read_text("utf-8").replace("first: 2012", "first: 2013")
    signed(home, moved)
    made = release(home, "2016-12-31", source(persons, [2012, 2013, 2014, 2015]))
    (said,) = made.withheld
    assert said == (
        "victims_identified 2013/2015 by sex_age_group shares a year with victims_identified 2012/2014 by sex_age_group, published before"
    )
    assert open_release(home / "releases").figures(VICTIMS, "sex_age_group", "2013/2015").empty


def test_a_total_that_others_published_takes_trafficking_with_it(tmp_path):
    """Trafficking 30 and others' total of 33 would tell the rest: so trafficking of 28 to 33 is not printed, whatever the rest."""
    home = tmp_path / "home"
    persons = source(units(VICTIMS, 2013, (30, {}), (3, OTHER)), [2013])
    text = yaml.safe_load(policy.SHIPPED.read_text("utf-8"))
    said = {"indicator": VICTIMS, "period": "2013", "table": "total", "category": "total", "value": 33, "source": "a newspaper"}
    signed(home, yaml.safe_dump({**text, "public_already": [said]}, sort_keys=False))
    release(home, "2014-03-31", persons)
    assert open_release(home / "releases").figures(VICTIMS, "total", "2013")["status"].tolist() == ["not_shown"]
    assert open_release(home / "releases").figures(VICTIMS, "offence_group", "2013").empty


def test_of_shelters_the_policy_allows_no_table_finer_than_a_year():
    """A quarter of the first day in a shelter would be that day, coarsely; what victims were given is never crossed by sex and age."""
    allowed = yaml.safe_load(policy.SHIPPED.read_text("utf-8"))["indicators"]
    of_protection = {code for code, one in indicators().items() if one.harmonised.stage == "protection"}
    assert of_protection == {"victims_referred", "victims_assisted", "victims_sheltered", "victims_represented"} <= allowed.keys()
    for code in of_protection:
        assert allowed[code]["group"] == allowed[VICTIMS]["group"]
        assert set(allowed[code]["tables"]) <= set(allowed[VICTIMS]["tables"]) - {"sex_age_group"}
    assert set(allowed["victims_sheltered"]["tables"]) <= {"sex", "age_group"}


def test_a_stricter_policy_is_not_held_up_by_what_was_printed_before(tmp_path):
    home, persons = tmp_path / "home", source(world(men=4), [2013])
    text = yaml.safe_load(policy.SHIPPED.read_text("utf-8"))
    lax = {**text, "groups": {group: {"threshold": 3, "known": 0} for group in text["groups"]}}
    signed(home, yaml.safe_dump(lax, sort_keys=False))
    release(home, "2015-03-31", persons)
    signed(home, yaml.safe_dump(text, sort_keys=False))
    release(home, "2015-09-30", persons)
    assert folder.verify_release_chain(home / "releases") == ["2015-03-31", "2015-09-30"]


def test_a_release_that_cannot_be_made_safe_is_refused(home, monkeypatch):
    """Nothing is printed otherwise because of a test: the release is refused."""
    learnt = Disclosure(ObservedTableName(VICTIMS, "harmonised", "total", "2013"), "total", 1, "public", "an attack")
    monkeypatch.setattr("warehouse.disclosure_risk.enumeration.find_disclosures_by_enumeration", lambda *_: [learnt])
    with pytest.raises(HarmoniaError, match=r"2014-03-31 is refused: victims_identified 2013 would disclose .* Wait for more records"):
        release(home, "2014-03-31", source(world(), [2013]))
    assert folder.release_names(home / "releases") == []


def test_trafficking_is_published_without_a_total_that_would_disclose_the_rest(home):
    release(home, "2015-03-31", source(units("persons_arrested", 2013, (30, {}), (3, OTHER)), [2013]))
    opened = open_release(home / "releases")
    assert opened.figures("persons_arrested", "total", "2013")["status"].tolist() == ["not_shown"]
    assert opened.figures("persons_arrested", "offence_group", "2013")[["cell", "value"]].values.tolist() == [["trafficking", 30]]


@pytest.mark.parametrize(
    ("steps", "printed", "lines"),
    [
        ({"same_person": -3}, ["not_shown"], []),
        ({"same_person": -3, "date_corrected": 2}, ["not_shown"], []),
        ({"same_person": -8, "merged": -1}, ["shown"], [(None, "not_broken_down")]),
        ({"same_person": -12, "merged": -4, "registered_twice": -4}, ["shown"], [(-12, "shown"), (-8, "joined")]),
        ({"same_person": -12, "merged": -7, "registered_twice": -1}, ["shown"], [(-12, "shown"), (-8, "joined")]),
    ],
)
def test_figures_as_reported_and_causes_tell_no_small_number(home, steps, printed, lines):
    """A small difference is not printed; causes that are joined are all others, whether they have records or not."""
    release(home, "2015-03-31", reported(source(world(), [2013]), VICTIMS, 2013, steps))
    opened = open_release(home / "releases")
    total = opened.cube[
        (opened.cube["indicator"] == VICTIMS) & (opened.cube["measure"] == "as_reported") & (opened.cube["table"] == "total")
    ]
    assert total["status"].tolist() == printed
    rows = opened.table("bridge")
    assert [(None if pd.isna(n) else int(n), status) for n, status in zip(rows["n"], rows["status"], strict=True)] == lines
    named = [cause for joined in rows["cause"] for cause in joined.split("+")]
    assert sorted(named) == (sorted(meanings_of_bridge_causes()) if lines else [])


def test_as_reported_does_not_stay_where_that_would_tell_its_new_value(home):
    """48 reported beside 41; then 52 beside 46: of 44 to 52 only 52 differs from 46 by six and more."""

    def known(women: int, men: int, more: int):
        of = source(units(VICTIMS, 2013, (women, {}), (men, {"sex": "male"})), [2013])
        return reported(of, VICTIMS, 2013, {"same_person": -more})

    release(home, "2014-03-31", known(30, 11, 7))
    release(home, "2015-03-31", known(34, 12, 6))
    cube = open_release(home / "releases").cube
    theirs = cube[(cube["indicator"] == VICTIMS) & (cube["measure"] == "as_reported")]
    assert theirs[["table", "status", "known"]].values.tolist() == [["total", "not_shown", "2015-03-31"]]
