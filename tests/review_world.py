"""A small home as a run leaves it, made by hand: some matters that the police and the prosecution both know, some of them in doubt."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd

from harmonia.home import Home
from harmonia.registry import open_registry
from harmonia.registry.identity import assign_ids
from harmonia.registry.tables import Delivery, Run
from pipelines.crosswalk import SUCCESSOR_COLUMNS
from pipelines.linkage import link_records
from schemas.canonical import TABLES, conform
from warehouse.count import CountInputs, open_database_of_counting_models

MATTERS = 24
GIVEN = ("arben", "besa", "driton", "ermal")
SURNAMES = ("krasniqi", "berisha", "gashi", "morina", "kelmendi")


def _state(institution: str, key: str, case: str, **values: object) -> dict[str, object]:
    return {"institution": institution, "delivery": "2013-Q1", "status": "accepted", "record_key": key, "case_key": case, **values}


def _matter(n: int) -> dict[str, list[dict[str, object]]]:
    """One matter: a police case with a suspect, the prosecution's file with a defendant. Every fourth has no number and no day."""
    police, prosecution = f"2013-PR-{n:05}", f"{1000 + n}"
    given, surname = GIVEN[n % len(GIVEN)], SURNAMES[n % len(SURNAMES)]
    poor = n % 4 == 0
    person = {
        "given_name": given.title(),
        "surname": surname.title(),
        "full_name": f"{given} {surname}".title(),
        "name_tokens": " ".join(sorted((given, surname))),
        "given_skeleton": given,
        "surname_skeleton": surname,
        "personal_number": None if poor else f"{1000000000 + 7919 * n}",
        "number_valid": None if poor else True,
        "birth_date": None if poor else pd.Timestamp(1970 + n % 20, 1 + n % 12, 1 + n % 28),
        "birth_year": None if poor else 1970 + n % 20,
        "birth_precision": None if poor else "day",
        "sex": "male",
        "citizenship": "XKX",
        "period": "2013-Q1",
    }
    day = pd.Timestamp(2013, 1, 1) + pd.Timedelta(days=n)
    case = {"seat": "prishtine", "offence_group": "trafficking", "article": "171", "law": "KPRK2012", "article_group": "trafficking"}
    event = {"entity": "case", "unreadable": False, "present": True, "period": "2013-Q1"}
    return {
        "case_records": [
            _state("police", police, police, number=police, state="sent", period="2013-Q1", **case),
            _state(
                "prosecution",
                prosecution,
                prosecution,
                number=f"PP.I/{n}/2013",
                state="indicted",
                source="police",
                period="2013-Q1",
                **case,
            ),
        ],
        "person_records": [
            _state("police", f"{police}/1", police, role="suspect", **person),
            _state("prosecution", f"{5000 + n}", prosecution, role="defendant", **person),
        ],
        "events": [
            _state("police", police, police, event="reported", date=day, **event),
            _state("prosecution", prosecution, prosecution, event="received", date=day + pd.Timedelta(days=9), **event),
        ],
        "references": [] if poor else [_state("prosecution", prosecution, prosecution, kind="police", number=police)],
        "charges": [],
        "sentences": [],
    }


def canonical(matters: int = MATTERS) -> dict[str, pd.DataFrame]:
    """Canonical tables of so many matters."""
    made = [_matter(n) for n in range(matters)]
    return {name: conform(name, pd.DataFrame([row for one in made for row in one[name]])) for name in TABLES}


def _write(home: Home, stage: str, frames: dict[str, pd.DataFrame]) -> None:
    folder = home.lake / stage
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet")


def make_home(root: Path, matters: int = MATTERS, judgements: pd.DataFrame | None = None) -> Home:
    """A home in `root` with what a published run leaves for review; another call simulates the next run."""
    home = Home(root).create()
    tables = canonical(matters)
    linked = link_records(tables, judgements=judgements)
    registry = open_registry(home.registry_url)
    try:
        with registry.write() as session:
            if not session.query(Delivery).count():
                for institution in ("police", "prosecution"):
                    moment = datetime(2013, 4, 10, tzinfo=UTC)
                    session.add(
                        Delivery(institution=institution, name="2013-Q1", period="2013-Q1", version=1, first_seen=moment, state="complete")
                    )
            session.add(Run(started=datetime.now(UTC), finished=datetime.now(UTC), outcome="published"))
        cases = assign_ids(registry, "case", linked.cases).rename(columns={"entity_id": "case_id"})
        persons = assign_ids(registry, "person", linked.persons).rename(columns={"entity_id": "person_id"})
    finally:
        registry.close()
    items = pd.DataFrame({"plain": ['{"statistics": {"blocking_values_refused": 0}}'], "dtypes": ["{}"]})
    _write(home, "canonical", {**tables, "successors": pd.DataFrame(columns=list(SUCCESSOR_COLUMNS), dtype="str")})
    _write(home, "links", {"persons": linked.persons, "cases": linked.cases, "decisions": linked.decisions, "_items": items})
    _write(home, "identities", {"cases": cases, "persons": persons, "listed": linked.listed.assign(person_id=None).astype("str")})
    deliveries = pd.DataFrame(
        {"institution": ["police", "prosecution"], "delivery": "2013-Q1", "period": "2013-Q1", "version": 1, "state": "complete"}
    )
    nothing = pd.DataFrame(columns=["institution", "delivery", "rows"])
    with open_database_of_counting_models(CountInputs(tables, cases, persons, deliveries, nothing, nothing, nothing)) as models:
        _write(home, "statistics", {"indicator_row": models.read_frame("indicator_row")})
    home.identity_store.unlink(missing_ok=True)
    with duckdb.connect(str(home.identity_store)) as connection:
        connection.register("incoming", tables["person_records"].merge(persons, on=["institution", "record_key"]))
        connection.execute("CREATE TABLE persons AS SELECT * FROM incoming")
    return home
