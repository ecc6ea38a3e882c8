"""A few made-up records for the tests of counting: canonical frames built line by line. No persons, keys only."""

from __future__ import annotations

from functools import reduce
from typing import Any

import pandas as pd

from schemas import canonical
from sources.contract import institutions
from warehouse.count import CountInputs, open_database_of_counting_models

ROLES = {"police": "suspect", "inspectorate": "suspect", "prosecution": "defendant", "courts": "defendant", "corrections": "prisoner"}
ROLES |= {"victim_protection": "victim", "social_work": "victim"}


class World:
    """Collects records and deliveries; `inputs()` gives what counting reads. Ids stand for what linkage found."""

    def __init__(self, periods: tuple[str, ...] = ("2012-Q4", "2013-Q1", "2013-Q2", "2013-Q3", "2013-Q4")) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in canonical.TABLES}
        self.cases: dict[tuple[str, str], str] = {}
        self.people: dict[tuple[str, str], str] = {}
        self.deliveries = [
            {"institution": i, "delivery": p, "period": p, "version": 1, "state": "complete"} for i in institutions() for p in periods
        ]
        self.quarantined: list[dict[str, Any]] = []

    def _state(self, institution: str, key: str, file: str, period: str, status: str) -> dict[str, Any]:
        return {
            "institution": institution,
            "delivery": period,
            "period": period,
            "status": status,
            "record_key": key,
            "case_key": file,
        }

    def case(
        self,
        institution: str,
        key: str,
        case_id: str,
        *,
        period: str = "2013-Q1",
        status: str = "accepted",
        group: str | None = None,
        **more: Any,
    ) -> World:
        """A case record; `group` is what article and words give; events by name: reported="2013-01-05", or None: took place, no date."""
        events = {name: more.pop(name) for name in list(more) if name in canonical.EVENTS}
        state = self._state(institution, key, key, period, status)
        self.rows["case_records"].append({**state, "article_group": group, "offence_group": group, **more})
        self.cases[institution, key] = case_id
        return self._events(state, "case", events)

    def person(
        self,
        institution: str,
        key: str,
        person_id: str,
        *,
        file: str,
        period: str = "2013-Q1",
        status: str = "accepted",
        charges: tuple[str, ...] = (),
        form: str | None = None,
        outcome: str | None = None,
        **more: Any,
    ) -> World:
        """A person record in `file`; `outcome` goes with its events (judged, final)."""
        events = {name: more.pop(name) for name in list(more) if name in canonical.EVENTS}
        state = self._state(institution, key, file, period, status)
        born = more.pop("born", None)
        date = pd.Timestamp(born) if born and len(born) == 10 else None
        birth = {"birth_date": date, "birth_year": int(born[:4]) if born else None}
        self.rows["person_records"].append({**state, "role": ROLES[institution], **birth, **more})
        bare = {k: v for k, v in state.items() if k != "period"}
        for group in charges:
            self.rows["charges"].append({**bare, "article_group": group, "offence_group": group, "form": form})
        self.people[institution, key] = person_id
        return self._events(state, "person", events, outcome)

    def _events(self, state: dict[str, Any], entity: str, events: dict[str, Any], outcome: str | None = None) -> World:
        for name, days in events.items():
            for day in days if isinstance(days, tuple) else (days,):
                date, said = [*day.split(), outcome][:2] if day else (None, outcome)
                event = {"entity": entity, "event": name, "date": date, "unreadable": date is None, "present": True, "outcome": said}
                self.rows["events"].append({**state, **event, "date": pd.Timestamp(date) if date else None})
        return self

    def missing(self, institution: str, period: str) -> World:
        """Take a delivery away."""
        self.deliveries = [d for d in self.deliveries if (d["institution"], d["period"]) != (institution, period)]
        return self

    def inputs(self) -> CountInputs:
        """What `count` reads."""
        key = ["institution", "record_key"]
        tables = {name: canonical.conform(name, pd.DataFrame(rows)) for name, rows in self.rows.items()}
        lineage = pd.concat([tables["case_records"].assign(entity="case"), tables["person_records"].assign(entity="person")])
        text = {c: pd.Series(dtype="str") for c in ("institution", "delivery", "part", "rule", "severity", "origin", "state", "record_key")}
        return CountInputs(
            canonical=tables,
            cases=pd.DataFrame([(*k, v) for k, v in self.cases.items()], columns=[*key, "case_id"], dtype="str"),
            persons=pd.DataFrame([(*k, v) for k, v in self.people.items()], columns=[*key, "person_id"], dtype="str"),
            deliveries=pd.DataFrame(self.deliveries, columns=["institution", "delivery", "period", "version", "state"]).astype(
                dict.fromkeys(["institution", "delivery", "period", "state"], "str")
            ),
            lineage=lineage[["institution", "entity", "record_key", "delivery", "status"]].assign(file="f", part=None, line=1),
            quarantined=pd.DataFrame(self.quarantined, columns=["institution", "delivery", "rows"]),
            findings=pd.DataFrame(text),
        )

    def model(self, *names: str) -> pd.DataFrame:
        """A model of the counting of these records, or several joined by the columns that they share."""
        with open_database_of_counting_models(self.inputs()) as models:
            found = [models.read_frame(name) for name in names]
        return reduce(pd.merge, found)


def figure(statistics: pd.DataFrame, indicator: str, period: str, **values: str) -> tuple[int, int]:
    """As reported and harmonised of one cell; dimensions that are not named hold `total`."""
    dimensions = ("offence_group", "form", "sex", "age_group", "citizenship_group")
    wanted = {"indicator": indicator, "period": period, **{d: values.get(d, "total") for d in dimensions}}
    hit = statistics[(statistics[list(wanted)] == pd.Series(wanted)).all(axis=1)]
    assert len(hit) <= 1, "a cell occurs twice"
    return (int(hit["as_reported"].iloc[0]), int(hit["harmonised"].iloc[0])) if len(hit) else (0, 0)


def steps(bridge: pd.DataFrame, indicator: str, period: str) -> dict[str, int]:
    """Steps of a bridge by cause."""
    hit = bridge[(bridge["indicator"] == indicator) & (bridge["period"] == period)]
    return hit.groupby("cause")["n"].sum().to_dict()
