"""The parts of an erasure: a day in place of the day of birth, rows emptied and judged as before, links held, the search."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonia.errors import HarmoniaError
from harmonia.home import Home
from harmonia.operations.erasure import link_constraints, reading, redaction, search
from harmonia.operations.erasure.birth_dates import substitute_birth_date
from harmonia.operations.erasure.orders import check_executor, list_orders, place_order
from harmonia.operations.erasure.person import PersonToErase
from harmonia.operations.erasure.rows import redact_delivery
from harmonia.registry import open_registry, seal
from harmonia.registry.identity import assign_ids
from harmonia.registry.tables import ErasureOrder
from harmonia.review.judgements import combine_judgements, read_judgements
from pipelines.landing import land_deliveries, list_landed_deliveries
from pipelines.landing.store import LandingStore
from pipelines.validation import validate
from sources.contract import DeliveryName
from sources.readers.result import SourceFile
from sources.reading import read_delivery

DAYS = st.dates(date(1990, 1, 1), date(2020, 12, 31))


@given(
    substitute_birth=st.dates(date(1930, 1, 1), date(1990, 12, 31)).filter(lambda day: (day.month, day.day) != (1, 1)),
    counted=st.lists(DAYS),
)
def test_the_day_in_place_is_of_the_same_year_and_gives_every_counted_age(substitute_birth: date, counted: list[date]) -> None:
    other = substitute_birth_date(substitute_birth, counted)
    assert other.year == substitute_birth.year
    assert (other.month, other.day) != (1, 1)
    true, made = ([day.year - on.year - ((day.month, day.day) < (on.month, on.day)) for day in counted] for on in (substitute_birth, other))
    assert true == made


def test_a_birthday_that_no_counted_day_tells_is_in_the_middle_of_the_year() -> None:
    assert substitute_birth_date(date(1980, 3, 4), []) == date(1980, 7, 1)
    assert substitute_birth_date(date(1980, 3, 4), [date(2013, 6, 1)]) == date(1980, 2, 1)


def delivered(folder: Path) -> Path:
    """A case with three persons: one twice under one key, differently spelled, with a wrong number; one whose row has a field too many."""
    cases = "Nr_rastit;Data_raportimit;Data_e_vepres;Data_dergimit_PSH;Stacioni;Komuna;Vepra_penale;Neni;Forma_shfrytezimit;Statusi;Nr_PP"
    names = "Roli;Mbiemri;Emri;Emri_prindit;Nr_personal"
    persons = f"Nr_rastit;Nr_rendor;{names};Data_lindjes;Vendlindja;Komuna_banimit;Gjinia;Shtetesia;Data_arrestimit"
    rows = [
        persons,
        "2013-PR-00001;1;I dyshuar;KRASNIQI;Agim;Hysen;1234567890;31.02.1975;Prizren;Prishtinë;M;Kosovë;",
        "2013-PR-00001;1;I dyshuar;Krasnići;Agim;Hysen;1234567890;04.03.1975;Prizren;Prishtinë;M;Kosovë;",
        "2013-PR-00001;2;Viktimë;Gashi;Drita;;;1999;;Prizren;F;Shqipëri;",
        "2013-PR-00001;3;I dyshuar;Krasniqi;Agim;Hysen;1234567890;04.03.1975;Prizren;Prishtinë;M;Kosovë;;;;",
    ]
    folder.mkdir()
    (folder / "rastet.csv").write_bytes(
        "\r\n".join([cases, "2013-PR-00001;02.03.2013;;;Prizren;Prizren;;171/1 KPRK;;Nën hetim;", ""]).encode("cp1250")
    )
    (folder / "personat.csv").write_bytes("\r\n".join([*rows, ""]).encode("cp1250"))
    return folder


def person() -> PersonToErase:
    return PersonToErase(
        "P1",
        frozenset({("police", "2013-PR-00001/1")}),
        lambda substitute_birth: substitute_birth_date(substitute_birth, []),
        frozenset({"1234567890"}),
        frozenset({("agim", "krasniqi")}),
    )


def test_emptied_rows_are_found_wrong_in_what_they_were_and_name_nobody(tmp_path: Path) -> None:
    folder = delivered(tmp_path / "delivery")
    files = [SourceFile(path.name, path) for path in sorted(folder.iterdir())]
    before = read_delivery("police", files)
    done = redact_delivery("police", DeliveryName("2013-Q1", 1), before, person())
    assert done is not None
    made, gone = done
    assert gone == {"personat.csv"}
    (tmp_path / "kept").write_bytes(reading.pack_redacted_reading(made))
    assert not search.file_contains_person(tmp_path / "kept", person())
    after = reading.load_redacted_reading(tmp_path / "kept")
    judged = [validate("police", {"2013-Q1": one}) for one in (before, after)]
    columns = ["delivery", "file", "line", "record_key", "field", "rule"]
    was, now = (one.findings[columns].astype("str").sort_values(columns).values.tolist() for one in judged)
    assert now == was
    rows = judged[1].tables["personat"]
    mine = rows[rows["_record"] == "2013-PR-00001/1"]
    assert mine[["Emri", "Mbiemri", "Emri_prindit", "Nr_personal", "Vendlindja"]].isna().all(axis=None)
    assert mine["Data_lindjes:year"].tolist() == [1975, 1975]
    assert mine[["Gjinia", "Komuna_banimit"]].notna().all(axis=None)
    assert (mine["_content"].nunique(), len(mine)) == (2, 2)
    other_positions = [
        one.tables["personat"].loc[lambda f: f["_record"] == "2013-PR-00001/2", ["Emri", "Mbiemri"]].values.tolist() for one in judged
    ]
    assert other_positions[0] == other_positions[1] == [["Drita", "Gashi"]]


def test_a_delivery_without_the_person_is_left_alone(tmp_path: Path) -> None:
    folder = delivered(tmp_path / "delivery")
    result = read_delivery("police", [SourceFile(path.name, path) for path in sorted(folder.iterdir())])
    nobody = PersonToErase(
        "P2", frozenset({("police", "2013-PR-00009/1")}), lambda substitute_birth: substitute_birth, frozenset({"9999999999"})
    )
    assert redact_delivery("police", DeliveryName("2013-Q1", 1), result, nobody) is None


@pytest.mark.parametrize("code", search.ENCODINGS)
def test_the_search_reads_text_of_any_encoding(code: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes("Krasniqi;Agim;Hysen".encode(code))
    assert search.file_contains_person(path, person())
    path.write_bytes(("Krasniqi;Besa" + " " * 200 + "Agim;Gashi").encode(code))
    assert not search.file_contains_person(path, person())


def test_the_search_opens_archives_in_archives(tmp_path: Path) -> None:
    inner, outer = io.BytesIO(), tmp_path / "outer.zip"
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", "<t>Agim</t>" + "<t>x</t>" * 500 + "<t>Krasniqi</t>")
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.xlsx", inner.getvalue())
    assert search.file_contains_person(outer, person())


def partition(**clusters: int) -> pd.DataFrame:
    rows = [("police", key, cluster) for key, cluster in clusters.items()]
    return pd.DataFrame(rows, columns=["institution", "record_key", "cluster"])


def test_ties_hold_what_was_together_and_keep_apart_what_was_apart() -> None:
    before = {"person": partition(a=1, b=1, c=2, d=3)}

    def link(judgements: pd.DataFrame) -> dict[str, pd.DataFrame]:
        """Alone it tears a from b and joins c with d; it obeys."""
        said = {(row.key_a, row.key_b): row.verdict for row in judgements.itertuples()}
        together = 1 if said.get(("a", "b")) == "same" else 4
        apart = 3 if said.get(("c", "d")) == "different" else 2
        return {"person": partition(a=1, b=together, c=2, d=apart)}

    nothing = pd.DataFrame(columns=link_constraints.COLUMNS, dtype="str")
    held = link_constraints.find_link_constraints(before, link, nothing)
    assert {(row.key_a, row.key_b, row.verdict) for row in held.itertuples()} == {("a", "b", "same"), ("c", "d", "different")}
    with pytest.raises(HarmoniaError, match="nothing was removed"):
        link_constraints.find_link_constraints(before, lambda _: {"person": partition(a=1, b=2, c=3, d=4)}, nothing)


def test_who_gave_an_order_does_not_carry_it_out() -> None:
    order = ErasureOrder(id=1, ordered_by="A. Officer")
    assert check_executor(order, "B. Engineer") == "B. Engineer"
    with pytest.raises(HarmoniaError, match="a different user"):
        check_executor(order, "a. officer")


def test_ties_stand_as_judgements_of_the_erasure_and_the_ledger_is_sealed_over_it(tmp_path: Path) -> None:
    home = Home(tmp_path).create()
    registry = open_registry(home.registry_url)
    assign_ids(registry, "person", partition(a=1, b=1))
    number = place_order(registry, "P0000001", "A. Officer", "decision 12/2014")
    held = pd.DataFrame([("person", "police", "a", "police", "b", "same")], columns=link_constraints.COLUMNS)
    assert redaction.record_redactions(registry, home, number, "B. Engineer", (), held) == 1
    said = combine_judgements(read_judgements(registry))
    assert said.values.tolist() == [["person", "police", "a", "police", "b", "same"]]
    assert set(read_judgements(registry)["steward"]) == {"erasure 1"}
    assert list_orders(registry)[["person", "ordered by", "executed", "last by"]].values.tolist() == [
        ["P0000001", "A. Officer", 1, "B. Engineer"]
    ]
    with registry.read() as session:
        assert seal.find_integrity_problems(session) == []
    with registry.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE erasure_order SET ordered_by = 'B. Engineer'")
    with registry.read() as session:
        assert any("erasure order" in line for line in seal.find_integrity_problems(session))
    registry.close()


def test_an_order_names_a_person_there_is(tmp_path: Path) -> None:
    registry = open_registry(Home(tmp_path).create().registry_url)
    with pytest.raises(HarmoniaError, match="person P0000099 does not exist"):
        place_order(registry, "P0000099", "A. Officer", "decision 12/2014")
    registry.close()


def test_bytes_that_a_killed_erasure_left_go_with_the_next_landing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inbox" / "police").mkdir(parents=True)
    delivered(tmp_path / "inbox" / "police" / "2013-Q1")
    home = Home(tmp_path / "home").create()
    registry = open_registry(home.registry_url)
    land_deliveries(tmp_path / "inbox", home, registry, settle_seconds=0)
    assign_ids(registry, "person", partition(a=1))
    order = place_order(registry, "P0000001", "A. Officer", "decision 12/2014")
    nothing = pd.DataFrame(columns=link_constraints.COLUMNS, dtype="str")
    redaction.record_redactions(registry, home, order, "B. Engineer", tuple(redaction.find_receipts(registry, home, person())), nothing)
    other = PersonToErase(
        "P2", frozenset({("police", "2013-PR-00001/2")}), lambda substitute_birth: substitute_birth, names=frozenset({("drita", "gashi")})
    )
    with monkeypatch.context() as killed:
        killed.setattr(LandingStore, "remove_bytes", lambda *_: None)
        redaction.record_redactions(registry, home, order, "B. Engineer", tuple(redaction.find_receipts(registry, home, other)), nothing)
    assert search.find_files_naming_person(home.landing, other)
    land_deliveries(tmp_path / "inbox", home, registry, settle_seconds=0)
    assert [search.find_files_naming_person(home.landing, one) for one in (person(), other)] == [[], []]
    (one,) = list_landed_deliveries(registry, home)
    assert one.reading is not None
    assert reading.load_redacted_reading(one.reading).tables["personat"]["Nr_rastit"].notna().all()
    assert tuple(redaction.find_receipts(registry, home, other)) == ()
    registry.close()
