"""Small hand-made canonical tables for tests of linkage: case files of the institutions and the persons in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from pipelines.linkage import LinkageResult
from schemas.canonical import TABLES, conform

GIVEN = [
    "agim",
    "arben",
    "besnik",
    "driton",
    "fatmir",
    "gani",
    "ilir",
    "luan",
    "naim",
    "petrit",
    "shpend",
    "valon",
    "visar",
    "zenel",
    "ylli",
]
SURNAMES = [
    "gashi",
    "krasnici",
    "berisha",
    "hoxha",
    "shala",
    "morina",
    "bytyci",
    "kelmendi",
    "rama",
    "osmani",
    "zeciri",
    "haliti",
    "maloku",
]
SEATS = ["prizren", "prishtine", "gjakove", "mitrovice", "peje", "gjilan", "ferizaj"]
OWN = {"police": "suspect", "prosecution": "defendant", "courts": "defendant", "corrections": "prisoner", "inspectorate": "suspect"}
OWN |= {"victim_protection": "victim", "social_work": "victim"}
OF_ONE_PERSON = ("corrections", "victim_protection", "social_work")


def number(serial: int) -> str:
    """A personal number whose check digit holds."""
    digits = f"{100_000_000 + serial * 7_919:09d}"
    check = 11 - sum(int(d) * w for d, w in zip(digits, (4, 3, 2, 7, 6, 5, 4, 3, 2), strict=True)) % 11
    return digits + str(0 if check >= 10 else check)


def person(n: int, **changed: Any) -> dict[str, Any]:
    """A person unlike those of other `n`; `changed` replaces single values."""
    return {
        "given_skeleton": GIVEN[n % len(GIVEN)],
        "surname_skeleton": SURNAMES[(n * 7 + n // 13) % len(SURNAMES)],
        "parent_skeleton": GIVEN[(n * 11 + 3) % len(GIVEN)],
        "personal_number": number(n),
        "number_valid": True,
        "birth_date": pd.Timestamp(1960, 1, 2) + pd.Timedelta(days=n * 173 % 14_000),
        "birth_precision": "day",
        "sex": "male",
        "citizenship": "XKX",
        **changed,
    }


class World:
    """Collects files; `tables` gives the canonical tables."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}

    def file(
        self,
        institution: str,
        key: str,
        persons: Iterable[dict[str, Any]] = (),
        *,
        own: str | None = None,
        seat: str | None = "prizren",
        group: str | None = "trafficking",
        cites: Iterable[tuple[str, str]] = (),
        days: dict[str, str] | None = None,
        person_days: dict[str, str] | None = None,
        delivery: str = "2013-Q2",
        status: str = "accepted",
        merged_into: str | None = None,
    ) -> None:
        """One case file with its persons, in one delivery; a prisoner's or victim's file and person bear the same key."""
        state = {"institution": institution, "delivery": delivery, "status": status, "case_key": key}
        self.rows["case_records"].append(
            {**state, "record_key": key, "number": own, "seat": seat, "offence_group": group, "merged_into": merged_into}
        )
        self.rows["references"] += [{**state, "record_key": key, "kind": kind, "number": cited} for kind, cited in cites]
        self.rows["events"] += [
            {**state, "record_key": key, "entity": "case", "event": event, "date": pd.Timestamp(day), "present": True}
            for event, day in (days or {}).items()
        ]
        for n, who in enumerate(persons, start=1):
            record = key if institution in OF_ONE_PERSON else f"{key}/{n}"
            who = {"role": OWN[institution], **who}
            tokens = sorted(f"{who.get('given_skeleton') or ''} {who.get('surname_skeleton') or ''}".split())
            born = who.get("birth_date")
            derived = {"name_tokens": " ".join(tokens) or None, "birth_year": born.year if isinstance(born, pd.Timestamp) else None}
            self.rows["person_records"].append({**state, "record_key": record, **derived, **who})
            self.rows["events"] += [
                {**state, "record_key": record, "entity": "person", "event": event, "date": pd.Timestamp(day), "present": True}
                for event, day in (person_days or {}).items()
            ]

    def matter(self, n: int, persons: Iterable[dict[str, Any]], *, seat: str | None = None, start: str = "2012-02-01") -> None:
        """Police, prosecution and court files of one case that cite one another, on days as they usually lie."""
        seat = seat or SEATS[n % len(SEATS)]
        persons, day = list(persons), pd.Timestamp(start) + pd.Timedelta(days=n * 5)
        police, prosecution, court = f"2012-PZ-{n:05d}", f"PP.I.nr.{n}/2012", f"PKR.nr.{n}/2012"

        def after(days: int) -> str:
            return str((day + pd.Timedelta(days=days)).date())

        reported = {"reported": after(0), "offence": after(-10), "sent": after(20)}
        self.file("police", police, persons, own=police, seat=seat, cites=[("prosecution", prosecution)], days=reported)
        received = {"received": after(26), "indicted": after(150)}
        self.file("prosecution", f"{1000 + n}", persons, own=prosecution, seat=seat, cites=[("police", police)], days=received)
        judged = {"judged": after(300), "final": after(340)}
        court_days = {"received": after(160)}
        self.file("courts", court, persons, own=court, seat=seat, cites=[("prosecution", prosecution)], days=court_days, person_days=judged)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The canonical tables."""
        return {name: conform(name, pd.DataFrame(rows)) for name, rows in self.rows.items()}


def background(matters: int = 40) -> World:
    """A world of so many cases with two persons each, none of whom comes again."""
    world = World()
    for n in range(1, matters + 1):
        world.matter(n, [person(2 * n), person(2 * n + 1)])
    return world


def together(linked: LinkageResult, *keys: str, entity: str = "person") -> bool:
    """Whether the records with these keys are all in one cluster."""
    frame = linked.persons if entity == "person" else linked.cases
    found = frame.set_index("record_key")["cluster"].loc[list(keys)]
    return found.nunique() == 1
