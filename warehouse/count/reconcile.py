"""The `reconciliation` table: what two neighbouring institutions should both know, and whether they do.

Belongs here: pairing both sides of a step, why one side is absent, what disagrees. Does not belong here: how cases and persons were linked.

Rule (STATISTICS.md): "Both sides are looked for in all accepted records, not only in the same quarter. `period` is the quarter of the
upstream event (sent, indictment, judgment final), or of the downstream event where there is no upstream one. Found on both
sides is `matched`, also when the upstream record does not say yet that it was sent."
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import pandas as pd

from schemas import canonical
from sources import contract
from warehouse.count.inputs import FILE, Standing, find, quarter_end, quarter_of, quarter_start, reckoned
from warehouse.count.offences import Charges, principal

ON_THE_WAY_DAYS = 31
"""How long before the end of the last delivery an upstream event may be for its downstream side to be under way still."""


@dataclass(frozen=True)
class Step:
    """A step between two institutions: what upstream says and what downstream must hold.

    `tolerance_days`: further apart than this the days disagree (declared, no rule of law); None: only the order is looked at.
    """

    name: str
    upstream: str
    downstream: str
    tolerance_days: int | None = None
    per_person: bool = False

    @property
    def stages(self) -> tuple[str, str]:
        """The stages of upstream and downstream."""
        return contract.stage_of()[self.upstream], contract.stage_of()[self.downstream]


_WAY: tuple[tuple[canonical.Stage, canonical.Stage, int | None], ...] = (
    ("registration", "prosecution", 31),
    ("prosecution", "courts", 92),
    ("courts", "corrections", None),  # per person
)


@cache
def steps() -> tuple[Step, ...]:
    """Every step from an institution to one of the next stage."""
    return tuple(
        Step(f"{up}_{down}", up, down, tolerance_days=days, per_person=days is None)
        for before, after, days in _WAY
        for up in contract.at(before)
        for down in contract.at(after)
    )


def _first(events: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """The earliest day of each key. Columns out: keys, day."""
    ordered = events.assign(reckoned=reckoned(events["day"], events["method"])).sort_values(["reckoned", "day"])
    return ordered.drop_duplicates(keys)[[*keys, "day"]]


def _sender(standing: Standing, institution: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cases that `institution` says were sent (case_id, day), and cases that it knows at all (case_id)."""
    events = standing.events
    sent = events[(events["institution"] == institution) & (events["event"] == "sent")]
    known = pd.concat([f.loc[f["institution"] == institution, ["case_id"]] for f in (standing.cases, standing.persons)])
    return _first(sent, ["case_id"]), known.drop_duplicates()


def _sources(standing: Standing) -> pd.DataFrame:
    """Prosecution files with their sender: what `burimi` says, or where it names no sender, whose number stands in the file."""
    senders = contract.at("registration")
    prosecution = contract.at("prosecution")
    files = standing.cases[standing.cases["institution"].isin(prosecution)]
    cited = standing.references[standing.references["institution"].isin(prosecution) & standing.references["kind"].isin(senders)]
    number_of = cited.drop_duplicates("case_key", keep="last").set_index("case_key")["kind"]
    return files.assign(sender=files["source"].where(files["source"].isin(senders), find(files["case_key"], number_of)))


def _received_from(standing: Standing, institution: str) -> pd.DataFrame:
    """Cases with a prosecution file from the sender: case_id, day."""
    files = _sources(standing)
    files = files[files["sender"] == institution]
    received = standing.events[standing.events["institution"].isin(contract.at("prosecution")) & (standing.events["event"] == "received")]
    return _first(received[pd.MultiIndex.from_frame(received[FILE]).isin(pd.MultiIndex.from_frame(files[FILE]))], ["case_id"])


def _case_sides(standing: Standing, step: Step) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Upstream (case_id, day), downstream (case_id, day), and what upstream knows at all, for a step between case files."""
    events = standing.events
    if step.stages[1] == "prosecution":
        return (_sender(standing, step.upstream)[0], _received_from(standing, step.upstream), _sender(standing, step.upstream)[1])
    indicted = _first(events[events["event"] == "indicted"], ["case_id"])
    received = _first(events[(events["event"] == "received") & events["institution"].isin(contract.at("courts"))], ["case_id"])
    known = standing.cases.loc[standing.cases["institution"].isin(contract.at("prosecution")), ["case_id"]].drop_duplicates()
    return indicted, received, known


def _person_sides(standing: Standing) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Persons finally sentenced to imprisonment, persons admitted as convicts, and persons that a court file holds, per case."""
    keys = ["case_id", "person_id"]
    events, persons = standing.events, standing.persons
    jailed = persons[persons["institution"].isin(contract.at("courts")) & (persons["sentence_months"].fillna(0) > 0)]
    final = events[(events["event"] == "final") & (events["outcome"] == "convicted") & events["record_key"].isin(jailed["record_key"])]
    admitted = events[events["event"] == "imprisoned"]
    judged = events[(events["event"] == "final") & (events["outcome"] == "convicted")][keys]
    return _first(final.dropna(subset=keys), keys), _first(admitted.dropna(subset=keys), keys), judged.drop_duplicates()


def _detail(step: Step, out: pd.DataFrame, spans: pd.DataFrame) -> pd.Series:
    """Why a side may be absent: it lies before the other institution's first delivery, or after its last."""
    first, last = spans["first"].to_dict(), spans["last"].to_dict()
    text = pd.Series(None, index=out.index, dtype="str")
    up, down = (contract.load(name).cited_as or name for name in (step.upstream, step.downstream))
    missing_up, missing_down = out["outcome"] == "missing_upstream", out["outcome"] == "missing_downstream"
    text = text.mask(missing_up, f"no {up} record of it in any delivery")
    text = text.mask(missing_down, f"no {down} record of it in any delivery")
    if step.upstream in first:
        text = text.mask(missing_up & (out["day"] < first[step.upstream]), f"before the first {up} delivery")
    if step.downstream in last:
        late = out["day"] > last[step.downstream] - pd.Timedelta(days=ON_THE_WAY_DAYS)
        text = text.mask(missing_down & late, f"may have arrived after the last {down} delivery")
    return text


def _spans(deliveries: pd.DataFrame) -> pd.DataFrame:
    """First and last day covered by each institution's readable deliveries."""
    read = deliveries[deliveries["state"] != "unreadable"]
    tally = read.groupby("institution")["period"].agg(["min", "max"])
    return pd.DataFrame({"first": quarter_start(tally["min"]), "last": quarter_end(tally["max"])}, index=tally.index)


def _paired(step: Step, up: pd.DataFrame, down: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Both sides of a step, joined. Columns out: case_id, person_id (per person), day_up, day_down, outcome, day."""
    keys = ["case_id", "person_id"] if step.per_person else ["case_id"]
    both = up.merge(down, on=keys, how="outer", suffixes=("_up", "_down"))
    holds = pd.MultiIndex.from_frame(both[keys]).isin(pd.MultiIndex.from_frame(known[keys]))
    both["outcome"] = "matched"
    both["outcome"] = both["outcome"].mask(both["day_down"].isna(), "missing_downstream")
    both["outcome"] = both["outcome"].mask(both["day_up"].isna() & ~holds, "missing_upstream")
    return both.assign(day=both["day_up"].fillna(both["day_down"]))


def _people(standing: Standing, institution: str, roles: tuple[str, ...]) -> pd.DataFrame:
    """The persons of each case at an institution: case_id, person_id. Unknown persons may be anybody."""
    persons = standing.persons.dropna(subset=["person_id"])
    hit = (persons["institution"] == institution) & persons["role"].isin(roles)
    return persons.loc[hit, ["case_id", "person_id"]].drop_duplicates()


def _other_people(standing: Standing, step: Step) -> pd.Index:
    """Cases in which the two sides do not name the same persons: suspects and defendants; court defendants unknown to the prosecution."""
    up = _people(standing, step.upstream, ("suspect", "defendant"))
    down = _people(standing, step.downstream, ("defendant",))
    both = up.merge(down, on=["case_id", "person_id"], how="outer", indicator=True)
    amiss = both["_merge"] == "right_only" if step.stages[0] == "prosecution" else both["_merge"] != "both"
    return pd.Index(both.loc[amiss, "case_id"].unique())


def _differs(step: Step, pairs: pd.DataFrame, standing: Standing, charges: Charges) -> pd.Series:
    """What disagrees on matched pairs: date, offence, person, comma-separated; null where nothing does, or nothing is matched."""
    gap = (pairs["day_down"] - pairs["day_up"]).dt.days
    date = (gap < 0) | (gap > step.tolerance_days if step.tolerance_days else False)
    keys = ["case_id", "person_id"] if step.per_person else ["case_id"]
    ends = zip((step.upstream, step.downstream), step.stages, strict=True)
    up, down = (principal(charges.where(charges.rows["institution"] == name), pairs[keys], stage) for name, stage in ends)
    person = pd.Series(False, index=pairs.index) if step.per_person else pairs["case_id"].isin(_other_people(standing, step))
    marks = {"date": date.fillna(False), "offence": up != down, "person": person}
    text = pd.Series("", index=pairs.index, dtype="str")
    for name, hit in marks.items():
        text = text + pd.Series(f",{name}", index=pairs.index, dtype="str").where(hit.astype(bool), "")
    return text.str.removeprefix(",").where((pairs["outcome"] == "matched") & (text != ""))


def reconcile(standing: Standing, charges: Charges) -> pd.DataFrame:
    """What both sides of every step know: step, case_id, person_id, outcome, differs, day (of the upstream event, else the downstream one).

    standing  with the days on which its events count; charges: put right
    """
    parts = []
    for step in steps():
        up, down, known = _person_sides(standing) if step.per_person else _case_sides(standing, step)
        pairs = _paired(step, up, down, known)
        parts.append(
            pairs.assign(
                step=step.name,
                person_id=pairs["person_id"] if step.per_person else None,
                differs=_differs(step, pairs, standing, charges),
            )
        )
    columns = ["step", "case_id", "person_id", "outcome", "differs", "day"]
    return pd.concat(parts, ignore_index=True)[columns]


def detailed(reconciled: pd.DataFrame, deliveries: pd.DataFrame) -> pd.DataFrame:
    """The `reconciliation` table: step, period, case_id, person_id, outcome, differs, detail. reconciled: of `reconcile`, of all cases."""
    spans, detail = _spans(deliveries), pd.Series(None, index=reconciled.index, dtype="str")
    for step in steps():
        own = reconciled[reconciled["step"] == step.name]
        detail.loc[own.index] = _detail(step, own, spans)
    out = reconciled.assign(period=quarter_of(reconciled["day"]), detail=detail).drop(columns="day")
    return out.sort_values(["step", "period", "case_id", "person_id"], ignore_index=True)
