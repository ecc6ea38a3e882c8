"""A small published home for the tests of `harmonia explain`: twins, a case registered twice, strangers. All made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq

from harmonia.home import Home
from harmonia.registry import open_registry
from harmonia.registry.identity import assign_ids
from pipelines.harmonisation import names, personal_numbers
from pipelines.linkage import link_records
from pipelines.resources.lake import convert_value_to_frames, write_tables
from schemas import canonical
from schemas.findings import complete_columns
from sources import contract
from sources.contract import institutions
from warehouse.count import CountInputs, open_database_of_counting_models
from warehouse.publish import publish_stores
from warehouse.stores import arrange_stores, make_persons_table_of_identity_store
from warehouse.tables import WAREHOUSE, list_declared_tables_except_views

PERIODS = ("2013-Q1", "2013-Q2")
CASE, AGAIN, FILE, COURT = "2013-PR-00001", "2013-PR-00002", "10", "PKR.nr.1/2013"
ARBEN = {"given_name": "Arben", "surname": "Krasniqi", "parent_name": "Hasan", "born": "1979-02-11", "number": "1012345674"}
TWIN = {"given_name": "Arbër", "surname": "Krasniqi", "parent_name": "Hasan", "born": "1979-02-11"}
STRANGERS = ("Drita Gashi", "Fatmir Berisha", "Ilir Morina", "Luan Shala", "Naser Bytyqi", "Shpend Hoxha", "Valon Kelmendi", "Zana Thaçi")
SECRETS = ("Arben", "Arbër", "Krasniqi", "Hasan", "1979", "1012345674", "arben", "krasniqi")


class _Rows:
    """Canonical rows, collected line by line."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in canonical.TABLES}

    def case(self, institution: str, key: str, *, group: str = "trafficking", cites: str | None = None, **more: Any) -> None:
        """A case record with its events by name, and the number that it names."""
        days = {name: more.pop(name) for name in list(more) if name in canonical.EVENTS}
        more.setdefault("number", key)
        state = _state(institution, key, key)
        self.rows["case_records"].append({**state, "period": PERIODS[0], "article_group": group, "offence_group": group, **more})
        for name, day in days.items():
            self.event(state, "case", name, day)
        if cites:
            self.rows["references"].append({**state, "kind": "police", "number": cites})

    def person(self, institution: str, key: str, file: str, who: dict[str, str], *, role: str, **days: str) -> None:
        """A person record; a court or police record has names in two fields, the prosecution's in one."""
        state = _state(institution, key, file)
        one_field = institution == "prosecution"
        full = f"{who['given_name']} {who['surname']}"
        said = {"full_name": full} if one_field else {"given_name": who["given_name"], "surname": who["surname"], "full_name": full}
        born = pd.Timestamp(who["born"])
        birth = {"birth_date": born, "birth_year": born.year, "birth_precision": "day"}
        row = {**state, "period": PERIODS[0], "role": role, "parent_name": who.get("parent_name"), "number": who.get("number")}
        self.rows["person_records"].append({**row, **said, **birth, "sex": "male", "citizenship": "XKX"})
        self.rows["charges"].append({**state, "article_group": "trafficking", "offence_group": "trafficking", "principal": True})
        for name, day in days.items():
            self.event(state, "person", name, day)

    def event(self, state: dict[str, Any], entity: str, name: str, day: str) -> None:
        """An event that took place on a day."""
        date = {"date": pd.Timestamp(day), "unreadable": False, "present": True, "outcome": "convicted" if name == "judged" else None}
        self.rows["events"].append({**state, "entity": entity, "event": name, **date, "period": PERIODS[0]})

    def tables(self) -> dict[str, pd.DataFrame]:
        """The canonical tables."""
        frames = {name: pd.DataFrame(rows) for name, rows in self.rows.items()}
        persons = frames["person_records"]
        numbers = personal_numbers.parse_personal_numbers(persons.pop("number").astype("str"))
        parsed = names.parse_names(persons.assign(full_name=persons["full_name"].where(persons["given_name"].isna())))
        frames["person_records"] = persons.assign(**parsed, personal_number=numbers["number"], number_valid=numbers["valid"])
        return {name: canonical.conform(name, frame) for name, frame in frames.items()}


def _state(institution: str, key: str, file: str) -> dict[str, Any]:
    return {"institution": institution, "delivery": PERIODS[0], "status": "accepted", "record_key": key, "case_key": file}


def _world() -> dict[str, pd.DataFrame]:
    rows = _Rows()
    rows.case("police", CASE, reported="2013-01-10", sent="2013-02-01", seat="prishtine")
    rows.case("police", AGAIN, reported="2013-01-12", seat="prishtine", merged_into=CASE, state="merged")
    rows.case("prosecution", FILE, number="PP.I.nr.34/2013", received="2013-02-03", source="police", cites=CASE, seat="prishtine")
    rows.case("courts", COURT, received="2013-03-03", cites="PP.I.nr.34/2013", seat="prishtine")
    rows.person("police", f"{CASE}/1", CASE, ARBEN, role="suspect", arrested="2013-01-11")
    rows.person("police", f"{CASE}/2", CASE, TWIN, role="suspect")
    rows.person("police", f"{AGAIN}/1", AGAIN, ARBEN, role="suspect")
    rows.person("prosecution", "100", FILE, ARBEN, role="defendant", indicted="2013-02-20")
    rows.person("prosecution", "101", FILE, TWIN, role="defendant")
    rows.person("courts", f"{COURT}/1", COURT, {**ARBEN, "given_name": "A."}, role="defendant", judged="2013-03-20")
    for n, name in enumerate(STRANGERS):
        given, surname = name.split()
        key, born = f"2013-GL-{n + 10:05d}", f"19{60 + n * 3}-0{n + 1}-15"
        rows.case("police", key, reported=f"2013-02-{n + 3:02d}", seat="gjilan", group="other" if n % 2 else "trafficking")
        rows.person("police", f"{key}/1", key, {"given_name": given, "surname": surname, "born": born}, role="suspect")
    return rows.tables()


def build(root: Path) -> Home:
    """A home as a run leaves it. The second registration was at first a separate case: its id redirects to the older one."""
    home = Home(root).create()
    tables = _world()
    linked = link_records(tables)
    registry = open_registry(home.registry_url)
    try:
        apart = linked.cases.assign(cluster=linked.cases["cluster"].where(linked.cases["record_key"] != AGAIN, 10_000))
        assign_ids(registry, "case", apart)
        cases = assign_ids(registry, "case", linked.cases).rename(columns={"entity_id": "case_id"})
        persons = assign_ids(registry, "person", linked.persons).rename(columns={"entity_id": "person_id"})
    finally:
        registry.close()
    deliveries = pd.DataFrame(
        [(i, p, p, 1, "complete") for i in institutions() for p in PERIODS if (i, p) != ("inspectorate", PERIODS[1])],
        columns=["institution", "delivery", "period", "version", "state"],
    )
    records = [tables[f"{entity}_records"].assign(entity=entity) for entity in ("case", "person")]
    lineage = pd.concat(records)[["institution", "entity", "record_key", "delivery", "status"]].assign(part=None)
    lineage["file"] = [contract.load(name).files[0].name for name in lineage["institution"]]
    lineage["line"] = range(2, len(lineage) + 2)
    nothing = pd.DataFrame(columns=["institution", "delivery", "rows"])
    findings = complete_columns(pd.DataFrame()).assign(state=pd.Series(dtype="str"))
    with open_database_of_counting_models(CountInputs(tables, cases, persons, deliveries, lineage, nothing, findings)) as models:
        published = {table.name: models.read_published_frame(table) for table in list_declared_tables_except_views(WAREHOUSE)}
        write_tables(home.lake / "statistics", {"indicator_row": models.read_frame("indicator_row")})
    write_tables(home.lake / "canonical", tables)
    write_tables(home.lake / "links", convert_value_to_frames(linked))
    write_tables(
        home.lake / "identities", {"cases": cases, "persons": persons, "listed": linked.listed.assign(person_id=None).astype("str")}
    )
    write_tables(home.lake / "record_status", {"deliveries": deliveries})
    publish_stores(arrange_stores(published, make_persons_table_of_identity_store(tables, cases, persons), b"k" * 32), home.root)
    return home


def case_id(home: Home, key: str) -> str:
    """The case of a case record."""
    frame = pq.read_table(home.lake / "identities" / "cases.parquet").to_pandas()
    return str(frame.loc[frame["record_key"] == key, "case_id"].iloc[0])


def person_id(home: Home, key: str) -> str:
    """The person of a person record."""
    frame = pq.read_table(home.lake / "identities" / "persons.parquet").to_pandas()
    return str(frame.loc[frame["record_key"] == key, "person_id"].iloc[0])


def warehouse(home: Home, sql: str) -> list[tuple[Any, ...]]:
    """Rows of the warehouse."""
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        return connection.execute(sql).fetchall()
