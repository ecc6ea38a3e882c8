"""Which defects does the comparison between institutions find, and how many of its findings are right?

    python -m benchmarks comparison_recall [-v] TRUTH HOME [TRUTH HOME …]

With every agreement given. Recall: of the defects that only another institution's record shows (`defect_classes.yaml`) and that the
latest version still contains, the share with a finding on record and field. Another institution shows a defect if its accepted record of
the same true person has another value in the same field (for references and cases: if the other register has a file of the same true
case). Precision, by rule: a record reported as wrong is wrong; of a neutral "please check", one of the two compared records is; a file
reported as not received, not sent … is so by `truth/reconciliation.csv`, `records.csv` and `events.csv`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from benchmarks.feedback_recall import _FIELDS, Set, classified
from harmonia.comparison.agreements import make_matrix_allowing_all
from harmonia.comparison.collect import collect_evidence
from harmonia.comparison.permitted import RULES, select_permitted_evidence
from pipelines.resources import lake
from pipelines.resources.delivery_store import DeliveryStore

KINDS = {
    "personal_number": ("pn_typing_error", "pn_of_another_person", "pn_of_parent", "pn_leading_zero_lost"),
    "birth_date": (
        "dob_day_month_swapped",
        "dob_typing_error",
        "dob_in_future",
        "dob_two_digit_year",
        "dob_first_of_january",
        "dob_impossible",
    ),
    "sex": ("sex_wrong",),
    "name": ("name_typo", "name_swapped", "name_nickname", "name_double_surname", "name_changed_surname", "name_parent_inline"),
    "reference": ("reference_to_another_case", "reference_to_nothing", "two_references"),
    "again": ("case_registered_twice", "case_new_number"),
}
STEPS = {
    "not_received": (("police_prosecution", "inspectorate_prosecution"), "missing_downstream"),
    "not_sent": (("police_prosecution", "inspectorate_prosecution"), "missing_upstream"),
    "no_judgment": (("courts_corrections",), "missing_upstream"),
}
OF_RULE = {rule: what for what, pair in RULES.items() for rule in pair if rule}


def _faulty(one: Set, what: str) -> pd.MultiIndex:
    hit = one.defects[one.defects["kind"].isin(KINDS[what])]
    return pd.MultiIndex.from_frame(hit[["institution", "record_key"]].drop_duplicates())


def right(one: Set, evidence: pd.DataFrame, findings: pd.DataFrame) -> pd.Series:
    """Whether each finding is right, by the truth."""
    out = pd.Series(False, index=findings.index)
    what = findings["rule"].map(OF_RULE)
    for kind in KINDS:
        if kind == "again":
            continue
        mine = findings[what == kind]
        faulty = _faulty(one, kind)
        own = pd.Series(pd.MultiIndex.from_frame(mine[["institution", "record_key"]]).isin(faulty), index=mine.index)
        seen = evidence[(evidence["what"] == kind) & ~evidence["same"]]
        seen = seen[pd.MultiIndex.from_frame(seen[["sender", "sender_key"]].astype("str")).isin(faulty)]
        other = pd.MultiIndex.from_frame(mine[["institution", "record_key"]]).isin(
            pd.MultiIndex.from_frame(seen[["receiver", "record_key"]])
        )
        out[mine.index] = own | (other & mine["rule"].str.startswith("check-"))
    mine = findings[what == "again"]
    files = one.records[(one.records["entity"] == "case")].drop_duplicates(["institution", "record_key"])
    files = files[files.duplicated(["institution", "case_id"], keep=False)]
    out[mine.index] = pd.MultiIndex.from_frame(mine[["institution", "record_key"]]).isin(
        pd.MultiIndex.from_frame(files[["institution", "record_key"]])
    )
    truth = pd.read_csv(one.truth / "reconciliation.csv", dtype="str", keep_default_na=False)
    case = one.records.drop_duplicates(["institution", "record_key"]).set_index(["institution", "record_key"])
    for kind, (steps, outcome) in STEPS.items():
        rows = truth[truth["step"].isin(steps) & (truth["outcome"] == outcome)]
        by = ["case_id"] if kind != "no_judgment" else ["case_id", "person_id"]
        persons = one.records[one.records["person_id"] != ""].drop_duplicates(["institution", "record_key"])
        named = case if kind != "no_judgment" else persons.set_index(["institution", "record_key"])
        ids = named.reindex(pd.MultiIndex.from_frame(findings[["institution", "record_key"]]))
        hit = pd.MultiIndex.from_frame(ids[by]).isin(pd.MultiIndex.from_frame(rows[by]))
        out |= (what == kind) & hit
    ids = case.reindex(pd.MultiIndex.from_frame(findings[["institution", "record_key"]]))
    events = pd.read_csv(one.truth / "events.csv", dtype="str")
    indicted = set(events.loc[events["indicator"] == "persons_indicted", "case_id"])
    return out | ((what == "no_indictment") & ~ids["case_id"].isin(indicted).to_numpy())


def standing(one: Set, rows: pd.DataFrame) -> pd.Series:
    """Whether the record is still accepted in the state that has the defect (a corrected or withdrawn state gets no finding)."""
    accepted = one.lineage[one.lineage["status"] == "accepted"]
    there = pd.MultiIndex.from_frame(rows[["institution", "record_key"]]).isin(
        pd.MultiIndex.from_frame(accepted[["institution", "record_key"]])
    )
    raw = _last_cells(one, rows["institution"].unique())
    contract_columns = [
        next((cols for pattern, cols in _FIELDS if pd.Series([f]).str.fullmatch(pattern).iloc[0]), (f,)) for f in rows["field"]
    ]
    same = []
    for (_, row), columns in zip(rows.iterrows(), contract_columns, strict=True):
        cells = {raw.get((row["institution"], row["record_key"], column)) for column in columns} - {None}
        same.append(not cells or any(row["delivered_value"].strip() == str(cell).strip() for cell in cells))
    return pd.Series(there, index=rows.index) & pd.Series(same, index=rows.index)


_COLUMN = {"pn": "personal_number", "dob": "birth_date", "sex": "sex", "name": "full_name"}
_CITED = {"police": "prosecution", "inspectorate": "prosecution", "courts": "prosecution", "corrections": "courts"}


def shown(one: Set, rows: pd.DataFrame) -> pd.Series:
    """Whether another institution's accepted record can show the defect at all."""
    people = one.canonical["person_records"]
    people = people[people["status"] == "accepted"].drop_duplicates(["institution", "record_key"])
    who = one.records[one.records["entity"] == "person"].drop_duplicates(["institution", "record_key"])
    people = people.merge(who[["institution", "record_key", "person_id", "case_id"]], on=["institution", "record_key"])
    files = one.records.drop_duplicates(["institution", "record_key"])
    case = files.set_index(["institution", "record_key"])["case_id"]
    out = []
    for row in rows.itertuples():
        me = (row.institution, row.record_key)
        column = _COLUMN.get(row.kind.split("_")[0])
        if column:
            mine = people[(people["institution"] == me[0]) & (people["record_key"] == me[1])]
            others = people[people["person_id"].isin(mine["person_id"]) & (people["institution"] != me[0])]
            values = set(others[column].dropna().astype("str")) - set(mine[column].dropna().astype("str"))
            out.append(bool(values))
        else:
            there = files[(files["case_id"] == case.get(me)) & (files["institution"] != me[0])]
            cited = _CITED.get(me[0]) if row.kind.startswith("reference") else None
            out.append(bool((there["institution"] == cited).any()) if cited else len(there) > 0)
    return pd.Series(out, index=rows.index, dtype=bool)


def _last_cells(one: Set, institutions: list[str]) -> dict[tuple[str, str, str], str]:
    """The cells of each record as last accepted: institution, record, field -> text delivered."""
    out: dict[tuple[str, str, str], str] = {}
    accepted = one.lineage[one.lineage["status"] == "accepted"]
    for institution in institutions:
        own = pd.MultiIndex.from_frame(accepted.loc[accepted["institution"] == institution, ["delivery", "record_key"]])
        for name, frame in DeliveryStore(one.home / "lake" / institution / "validated").load_frames().items():
            if name.startswith("tables.") and len(frame):
                last = frame[pd.MultiIndex.from_frame(frame[["_delivery", "_record"]]).isin(own)]
                for column in (c for c in last.columns if c.endswith(":text")):
                    field = column.removesuffix(":text")
                    out |= {(institution, key, field): value for key, value in zip(last["_record"], last[column], strict=True)}
    return out


def report(one: Set, verbose: bool) -> None:
    """Prints the measure of one set."""
    base = one.home / "lake"
    ids = lake.read_tables(base / "identities")
    deliveries = lake.read_tables(base / "record_status")["deliveries"]
    evidence = collect_evidence(one.canonical, ids["cases"], ids["persons"], deliveries)
    found = select_permitted_evidence(evidence, make_matrix_allowing_all())
    defects = classified(one)
    other = defects[(defects["shows"] == "another")].copy()
    other = other[standing(one, other)]
    other = other[shown(one, other)]
    known = set(found[["institution", "record_key", "field"]].itertuples(index=False, name=None))
    names = [next((cols for pattern, cols in _FIELDS if pd.Series([f]).str.fullmatch(pattern).iloc[0]), (f,)) for f in other["field"]]
    other["told"] = [
        any((r.institution, r.record_key, c) in known for c in cols) for r, cols in zip(other.itertuples(), names, strict=True)
    ]
    print(f"\n== {one.name}: {len(evidence)} pieces of evidence, {len(found)} findings")
    print(f"only another's record shows, still standing, told: {other['told'].sum()} of {len(other)} = {other['told'].mean():.2%}")
    print(other.groupby("kind")["told"].agg(["sum", "size"]).to_string())
    ok = right(one, evidence, found)
    print(ok.groupby(found["rule"]).agg(["sum", "size", "mean"]).to_string())
    print(f"precision over all: {ok.mean():.2%}")
    if verbose:
        print(found[~ok].groupby("rule").head(6).to_string())
        print(
            other.loc[~other["told"], ["institution", "record_key", "kind", "field", "true_value", "delivered_value"]]
            .groupby("kind")
            .head(5)
            .to_string()
        )


if __name__ == "__main__":
    places = [Path(p) for p in sys.argv[1:] if p != "-v"]
    for t, h in zip(places[::2], places[1::2], strict=True):
        report(Set(t, h), "-v" in sys.argv)
