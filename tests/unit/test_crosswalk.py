"""A new case-management system: which old records a crosswalk replaces, and what keeps its identity (docs/reference/deliveries.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from judging_world import Rows, rules, standing
from linkage_world import background, person

from harmonia.registry import open_registry
from harmonia.registry.identity import assign_ids
from pipelines.assets.linkage import _assign_person_ids
from pipelines.crosswalk import add_rows_for_old_keys, find_replaced_records
from pipelines.linkage import link_records

ANNA, BEN, CARL = (person(n) for n in (201, 202, 203))


def files(*keys: str, old: dict[str, str] | None = None, **parties: str) -> Rows:
    """A delivery of the prosecution: files, parties by key with the key of their file, a charge each, and a crosswalk old -> new."""
    walk = [{"tabela": "lenda" if len(new) < 3 else "pala", "id_vjeter": before, "id_ri": new} for before, new in (old or {}).items()]
    return {
        "lenda": [
            {"lenda_id": k, "nr_lendes": f"PP.I.nr.{k[-1]}/2014", "data_pranimit": "2014-01-09", "prokuroria": "Prizren", "statusi": "HET"}
            for k in keys
        ],
        "pala": [{"pala_id": k.strip("p"), "lenda_id": file, "roli": "D", "emri_mbiemri": k} for k, file in parties.items()],
        "akuza": [{"akuza_id": k.strip("p"), "pala_id": k.strip("p"), "neni": "171"} for k in parties],
        "vendimi": [{"vendimi_id": k, "lenda_id": k, "lloji": "FILL", "data": "2014-01-20"} for k in keys],
        "kryqezimi": walk,
    }


def status(**deliveries: Rows) -> tuple[dict[str, str], Any]:
    found = standing("prosecution", {name[1:].replace("_Q", "-Q"): rows for name, rows in deliveries.items()})
    lineage = found.lineage
    return {f"{r.record_key}@{r.delivery[-2:]}": r.status for r in lineage.itertuples() if r.entity in ("case", "person")}, found


OLD = files("1", "2", p101="1", p102="1", p103="2")


def test_a_replaced_file_is_superseded_with_its_parties_charges_and_decisions() -> None:
    after, found = status(_2014_Q4=OLD, _2015_Q1=files("71", "72", old={"1": "71", "101": "701"}, p701="71", p702="71", p703="72"))
    assert {k: after[k] for k in ("1@Q4", "101@Q4", "102@Q4")} == dict.fromkeys(("1@Q4", "101@Q4", "102@Q4"), "superseded")
    assert {after[k] for k in ("2@Q4", "103@Q4", "71@Q1", "72@Q1", "701@Q1")} == {"accepted"}
    assert found.tables["akuza"].set_index("_key")["_status"].loc[["101", "102", "103"]].tolist() == [
        "superseded",
        "superseded",
        "accepted",
    ]
    assert found.tables["vendimi"].set_index("_key")["_status"].loc[["1", "2"]].tolist() == ["superseded", "accepted"]


def test_rows_of_a_crosswalk_are_structural_and_a_delivery_needs_none() -> None:
    _, found = status(_2014_Q4=OLD, _2015_Q1=files("71", old={"1": "71"}, p701="71"))
    assert found.accounting.set_index("delivery")["structural"].to_dict() == {"2014-Q4": 0, "2015-Q1": 1}
    assert not any(rule.startswith("db-") for rule in rules(found))


def test_the_crosswalk_of_a_replaced_version_replaces_nothing() -> None:
    first, again = files("71", old={"1": "71"}, p701="71"), files("71", p701="71")
    found = standing("prosecution", {"2014-Q4": OLD, "2015-Q1": first, "2015-Q1_v2": again}).lineage
    assert found.loc[(found["record_key"] == "1") & (found["entity"] == "case"), "status"].tolist() == ["accepted"]


def test_an_old_id_that_leads_to_no_record_or_was_never_delivered_changes_nothing() -> None:
    after, found = status(_2014_Q4=OLD, _2015_Q1=files("72", old={"1": "71", "9": "72"}, p703="72"))
    assert after["1@Q4"] == "accepted"
    assert rules(found)["cross-crosswalk-unknown-key"] == {"71"}


def test_doubles_and_files_that_the_crosswalk_lacks_are_findings() -> None:
    _, found = status(_2014_Q4=OLD, _2015_Q1=files("71", "72", "73", old={"1": "71", "3": "73", "8": "73"}, p701="71", p703="72"))
    assert rules(found)["cross-crosswalk-double"] == {"73"}
    lacking = found.findings[found.findings["rule"] == "cross-crosswalk-lacks-record"]
    assert lacking[["delivery", "record_key", "detail"]].values.tolist() == [["2015-Q1", "72", "2"]]


def test_entries_in_a_circle_replace_nothing_and_are_reported() -> None:
    after, found = status(_2014_Q4=OLD, _2015_Q1=files("71", "72", old={"71": "72", "72": "71"}, p701="71", p702="72"))
    assert {after["71@Q1"], after["72@Q1"]} == {"accepted"}
    assert rules(found)["cross-crosswalk-circle"] == {"71", "72"}


def test_several_changes_of_system_are_followed_to_the_end() -> None:
    chain = [(f"{n}", f"{n + 1}") for n in range(1, 12)] + [("20", "21"), ("21", "20"), ("19", "20")]
    entries = pd.DataFrame(chain, columns=["old", "new"]).assign(table="lenda")
    found = find_replaced_records(entries, {"lenda": pd.Series(["12", "20", "21"])})
    assert found.set_index("old")["new"].to_dict() == {f"{n}": "12" for n in range(1, 12)}


def successors(*rows: tuple[str, str | None, str | None]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["entity", "old_key", "new_key"]).assign(institution="prosecution")
    return frame[["institution", "entity", "old_key", "new_key"]].astype("str")


def renumbered(complete: bool) -> dict[str, pd.DataFrame]:
    """A file of three in the old system and in the new one; the crosswalk has the last party only if it is `complete`."""
    world = background(20)
    for keys, own, delivery, state in (
        (("11", "12", "13"), "1", "2014-Q4", "superseded"),
        (("77", "78", "79"), "7", "2015-Q1", "accepted"),
    ):
        people = [{**one, "record_key": key} for one, key in zip((ANNA, BEN, {**CARL, "surname_skeleton": own}), keys, strict=True)]
        world.file("prosecution", own, people, own="PP.I.nr.5/2014", delivery=delivery, status=state)
    walk = [("case", "1", "7"), ("person", "11", "77"), ("person", "12", "78")]
    walk += [("person", "13", "79")] if complete else [("person", "13", None), ("person", None, "79")]
    return {**world.tables, "successors": successors(*walk)}


@pytest.mark.parametrize("complete", [True, False])
def test_cases_and_persons_keep_their_ids_over_the_change(complete: bool, tmp_path: Path) -> None:
    tables = renumbered(complete)
    before = {name: frame[frame["delivery"] != "2015-Q1"] if "delivery" in frame else frame.iloc[:0] for name, frame in tables.items()}
    registry = open_registry(f"sqlite:///{tmp_path}/registry.sqlite")
    ids = []
    try:
        for state in (before, tables):
            linked = link_records(state)
            cases = assign_ids(registry, "case", add_rows_for_old_keys(linked.cases, state["successors"], "case"))
            people = _assign_person_ids(linked, state["successors"], lambda partition: assign_ids(registry, "person", partition))
            both = [cases, people.rename(columns={"person_id": "entity_id"})]
            ids.append(pd.concat(both).query("institution == 'prosecution'").set_index("record_key")["entity_id"])
    finally:
        registry.close()
    first, then = ids
    assert {new: then[new] for new in ("7", "77", "78", "79")} == {"7": first["1"], "77": first["11"], "78": first["12"], "79": first["13"]}
    assert all(then[old] == first[old] for old in ("1", "11", "12"))
