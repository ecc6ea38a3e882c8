"""Where records of one person disagree between institutions: personal number, birth date, sex, name.

Belongs here: which two records are surely one person, and on what they differ. Only such pairs speak, and never on the field that made
them one. Does not belong here: linkage itself; whether a name's script or language differs (never a defect: skeletons are compared).
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from rapidfuzz import process
from rapidfuzz.distance import OSA

from pipelines.comparison.evidence import Known, fields
from pipelines.harmonise import names
from pipelines.harmonise.text import fold

_LEAST = 4  # letters of a name in which one error is an error and not another name
_ERRORS = 2  # letters that a typing error may change; beyond that it may be another name of the same person
_SURE = 2  # names that agree
_AT_A_TIME = 20_000  # persons
_COPIED = ("full_name", "parent_name", "citizenship", "municipality", "personal_number", "birth_date")


def evidence(known: Known) -> pd.DataFrame:
    """Evidence (`EVIDENCE`) on people: records that differ from another institution's record of the same person, a row for each of those.

    Some thousand persons at a time, so that memory does not grow with them.
    """
    people = _people(known.persons)
    portion = people["person_id"].factorize()[0] // _AT_A_TIME
    parts = [_of_some(known, some) for _, some in people.groupby(portion)] or [_of_some(known, people)]
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def _of_some(known: Known, people: pd.DataFrame) -> pd.DataFrame:
    pairs = _pairs(people)
    if pairs.empty:
        return known.finished(pairs.assign(receiver=None, record_key=None, field=None, sender=None, case_id=None), "name")
    left, right = _left_over(pairs)
    alike = (pairs["names"] >= _SURE) | ((pairs["names"] == _SURE - 1) & _near(left, right))
    checks = (
        ("personal_number", "personal_number", alike & (pairs["same_birth"] | pairs["same_case"])),
        ("birth_date", "birth_day", pairs["same_number"] | (alike & pairs["same_case"])),
        ("sex", "sex", alike & (pairs["same_number"] | pairs["same_birth"])),
    )
    parts = [known.finished(_compared(pairs[certain], column, what), what) for what, column, certain in checks]
    return pd.concat([*parts, *_names(known, pairs)], ignore_index=True)


def _people(persons: pd.DataFrame) -> pd.DataFrame:
    """One row a record: what is compared, on an index of its own."""
    out = persons.dropna(subset=["person_id"]).reset_index(drop=True)
    whole = out["birth_precision"] == "day"
    ten = out["personal_number"].str.fullmatch(r"\d{10}", na=False)
    tokens = out["name_tokens"].fillna("").str.split()
    order = names.skeleton(out["full_name"]).str.extract(r"^(?P<first>\S+) (?:.* )?(?P<last>\S+)$")
    return out.assign(
        birth_day=out["birth_date"].where(whole).dt.strftime("%Y-%m-%d"),
        personal_number=out["personal_number"].where(ten),
        tokens=tokens,
        sex=out["sex"].where(out["sex"].isin(["male", "female"])),
        first=order["first"],
        last=order["last"],
    )


def _pairs(people: pd.DataFrame) -> pd.DataFrame:
    """Each two records of one person at different institutions, both ways: columns of both (`_l` is spoken of, `_r` speaks)."""
    columns = [
        "institution",
        "record_key",
        "case_id",
        "about",
        "person_id",
        "personal_number",
        "birth_day",
        "sex",
        "tokens",
        "first",
        "last",
    ]
    columns += ["given_skeleton", "surname_skeleton", *(c for c in _COPIED if c not in columns)]
    both = people[columns].merge(people[columns], on="person_id", suffixes=("_l", "_r"))
    both = both[both["institution_l"] != both["institution_r"]].reset_index(drop=True)
    return both.assign(
        same_number=(both["personal_number_l"] == both["personal_number_r"]).fillna(False).astype(bool),
        same_birth=(both["birth_day_l"] == both["birth_day_r"]).fillna(False).astype(bool),
        same_case=(both["case_id_l"] == both["case_id_r"]).fillna(False).astype(bool),
        names=[len(set(a).intersection(b)) for a, b in zip(both["tokens_l"], both["tokens_r"], strict=True)],
    )


def _in_question(pairs: pd.DataFrame, differ: pd.Series) -> pd.Series:
    """Pairs that speak of a record of which some pair differs: of no other there is anything to tell."""
    record = pairs.groupby(["institution_l", "record_key_l"], sort=False).ngroup()
    return record.isin(record[differ])


def _compared(pairs: pd.DataFrame, column: str, concept: str) -> pd.DataFrame:
    """Pairs that both have the field: who is spoken of, who speaks, whether they agree, which speakers agree with each other."""
    held = pairs[pairs[f"{column}_l"].notna() & pairs[f"{column}_r"].notna()]
    held = held[_in_question(held, held[f"{column}_l"] != held[f"{column}_r"])]
    return _spoken(held, held[f"{column}_l"] == held[f"{column}_r"], held[f"{column}_r"], held["institution_l"].map(fields(concept)))


def _spoken(held: pd.DataFrame, same: pd.Series, value: pd.Series, field: pd.Series) -> pd.DataFrame:
    group = pd.Series(pd.factorize(value.astype("str"), sort=True)[0], index=held.index)
    out = pd.DataFrame(
        {
            "receiver": held["institution_l"],
            "record_key": held["record_key_l"],
            "field": field,
            "sender": held["institution_r"],
            "sender_key": held["record_key_r"],
            "same": same.astype(bool),
            "group": group,
            "role": np.where((held["about_l"] == "victim") | (held["about_r"] == "victim"), "victim", held["about_l"]),
            "case_id": held["case_id_l"],
        }
    )
    return out.assign(apart=_apart(out, held))


def _apart(rows: pd.DataFrame, held: pd.DataFrame) -> pd.Series:
    """For each speaker the other institutions that say the same and did not copy from it: some other cell that both fill differs.

    Whoever copies a record copies it whole; two that were entered apart differ somewhere. Cells are compared as delivered. The one spoken
    of is among them where it agrees.
    """
    marks, own = (pd.DataFrame({name: held[f"{name}_{side}"].astype("str") for name in _COPIED}, index=rows.index) for side in "rl")
    self_apart = rows["same"] & (marks.notna() & own.notna() & (marks != own)).any(axis=1)
    one = pd.concat([rows[["receiver", "record_key", "group", "sender"]], marks], axis=1).reset_index()
    key = ["receiver", "record_key", "group"]
    both = one.merge(one, on=key, suffixes=("", "_other"))
    both = both[both["sender"] != both["sender_other"]]
    differs = pd.Series(False, index=both.index)
    for name in _COPIED:
        given = both[name].notna() & both[f"{name}_other"].notna()
        differs |= given & (both[name] != both[f"{name}_other"])
    own_name = pd.DataFrame({"index": rows.index[self_apart], "sender_other": rows.loc[self_apart, "receiver"]})
    every = pd.concat([both.loc[differs, ["index", "sender_other"]], own_name], ignore_index=True).drop_duplicates()
    number, institutions = every["sender_other"].factorize(sort=True)
    bits = pd.Series(1 << number, index=every["index"]).groupby(level=0).sum()  # a set of institutions as one number
    named = {sum_: ",".join(name for n, name in enumerate(institutions) if sum_ >> n & 1) for sum_ in bits.unique()}
    return bits.map(named).reindex(rows.index).astype("str")


def _names(known: Known, pairs: pd.DataFrame) -> list[pd.DataFrame]:
    """Names with a letter wrong, and given name and surname exchanged: on pairs that number or birth date makes one person."""
    sure = pairs["same_number"] | pairs["same_birth"] | (pairs["same_case"] & (pairs["names"] >= 1))
    held = pairs[sure].reset_index(drop=True)
    left, right = (pd.Series(names_, index=held.index, dtype="object") for names_ in _left_over(held))
    doubled = _doubled(held)
    near = _near(left.tolist(), right.tolist()) | doubled
    can_swap = held["institution_l"].map(fields("given_name")).notna() & (held["first_l"] != held["last_l"])
    swapped = can_swap & (held["first_l"] == held["last_r"]) & (held["last_l"] == held["first_r"])
    asked = _in_question(held, near | swapped)
    held, left, right = held[asked], left[asked], right[asked]
    doubled, near, can_swap, swapped = (mask[asked] for mask in (doubled, near, can_swap, swapped))
    given, surname, full = (held["institution_l"].map(fields(name)) for name in ("given_name", "surname", "full_name"))
    in_given = [token in str(name).split() for token, name in zip(left, held["given_skeleton_l"], strict=True)]
    where = full.where(full.notna(), given.where(pd.Series(in_given, index=held.index, dtype=bool), surname))
    where = where.where(~doubled | full.notna(), given)
    agree = can_swap & (held["first_l"] == held["first_r"]) & (held["last_l"] == held["last_r"])
    typed = _spoken(held, ~near, right, where)[(near | (held["names"] >= _SURE)) & ~swapped]
    either = [_spoken(held, ~swapped, swapped, field)[swapped | agree] for field in (given, surname)]
    return [known.finished(part, "name") for part in (typed, *either)]


def _left_over(held: pd.DataFrame) -> tuple[list[str], list[str]]:
    """The one name of each side that the other lacks; empty where it is not exactly one."""
    left, right = [], []
    for a, b in zip(held["tokens_l"], held["tokens_r"], strict=True):
        mine, theirs = [t for t in a if t not in b], [t for t in b if t not in a]
        one = len(mine) == len(theirs) == 1
        left.append(mine[0] if one else "")
        right.append(theirs[0] if one else "")
    return left, right


def _doubled(held: pd.DataFrame) -> pd.Series:
    """Names that differ in a letter written twice alone, where that is no spelling (Albanian writes ll and rr as it likes)."""
    folded = {name: sorted(fold(name).split()) for name in pd.concat([held["full_name_l"], held["full_name_r"]]).dropna().unique()}
    single = {name: sorted(re.sub(r"([^lr])\1", r"\1", token) for token in tokens) for name, tokens in folded.items()}
    names_ = zip(held["full_name_l"].fillna(""), held["full_name_r"].fillna(""), strict=True)
    hit = [a != b and folded.get(a, []) != folded.get(b, []) and single.get(a, []) == single.get(b, []) for a, b in names_]
    return pd.Series(hit, index=held.index, dtype=bool)


def _near(left: list[str], right: list[str]) -> pd.Series:
    """Whether two names are one with a typing error in it."""
    errors = pd.Series(process.cpdist(left, right, scorer=OSA.distance), dtype="int64")
    long = pd.Series([min(len(a), len(b)) >= _LEAST for a, b in zip(left, right, strict=True)], dtype=bool)
    return long & (errors > 0) & (errors <= _ERRORS)
