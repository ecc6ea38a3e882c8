"""Differences between institutions' records of one person: personal number, birth date, sex, name.

Belongs here: which two records are certainly one person, and where they differ. Only such pairs are evidence, and never on the field that
made them certain. Does not belong here: linkage; differences of script or language in names (never a defect: skeletons are compared);
how two names differ (`spelled`).

Cells are compared as codes, records as row numbers: texts are fetched only where they differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.comparison import spelled
from pipelines.comparison.evidence import LinkedRecords, fields
from pipelines.harmonise.text import map_frame, phrase_skeleton

_SURE = 2  # agreeing names
_AT_A_TIME = 20_000  # persons per chunk
_COPIED = ("full_name", "parent_name", "citizenship", "municipality", "personal_number", "birth_date")
_KEY = ("institution", "record_key", "case_id")


@dataclass(frozen=True)
class Pairs:
    """Pairs of records of one person at different institutions, in both orders: `mine` is compared, `theirs` is the evidence.

    people        records
    codes         cells as codes, -1 where empty, in the order of the texts (`first` and `last` share theirs)
    tokens        the texts of the codes of `name_tokens`
    mine, theirs  row numbers of the two records
    """

    people: pd.DataFrame
    codes: Mapping[str, np.ndarray]
    tokens: Sequence[str]
    mine: np.ndarray
    theirs: np.ndarray

    def __len__(self) -> int:
        return len(self.mine)

    def where(self, mask: np.ndarray) -> Pairs:
        """The pairs selected by `mask`."""
        return replace(self, mine=self.mine[mask], theirs=self.theirs[mask])

    def both(self, name: str) -> np.ndarray:
        """Whether both have the cell."""
        code = self.codes[name]
        return (code[self.mine] >= 0) & (code[self.theirs] >= 0)

    def same(self, name: str, other: str = "") -> np.ndarray:
        """Whether both have the cell, with equal values. other: the column of `theirs`, if another."""
        mine, theirs = self.codes[name][self.mine], self.codes[other or name][self.theirs]
        return (mine >= 0) & (mine == theirs)

    def text(self, name: str, side: np.ndarray) -> pd.Series:
        """The cells of one side (`mine`, `theirs`) as text."""
        return pd.Series(self.people[name].array.take(side))

    def field(self, concept: str) -> pd.Series:
        """The column of a concept at the institution of `mine`; missing where it has none."""
        return self.text("institution", self.mine).map(fields(concept))


def evidence(known: LinkedRecords) -> pd.DataFrame:
    """Evidence (`EVIDENCE`) on people: one row per record and another institution's record of the same person that differs from it.

    Works in chunks of persons to limit memory.
    """
    people = _people(known.persons)
    codes, tokens = _codes(people)
    chunk = codes["person_id"] // _AT_A_TIME
    parts = [_of_some(known, _pairs(people, codes, tokens, np.flatnonzero(chunk == n))) for n in range(chunk.max(initial=0) + 1)]
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def _of_some(known: LinkedRecords, pairs: Pairs) -> pd.DataFrame:
    alike, left, right = spelled.tokens(pairs.tokens, *_two(pairs, "name_tokens"))
    sure = (alike >= _SURE) | ((alike == _SURE - 1) & spelled.near(left, right))
    number, birth, case = (pairs.same(name) for name in ("personal_number", "birth_day", "case_id"))
    checks = (
        ("personal_number", "personal_number", sure & (birth | case)),
        ("birth_date", "birth_day", number | (sure & case)),
        ("sex", "sex", sure & (number | birth)),
    )
    parts = [known.finished(_compared(pairs.where(certain), column, what), what) for what, column, certain in checks]
    named = number | birth | (case & (alike >= 1))
    return pd.concat([*parts, *_names(known, pairs.where(named), alike[named], left[named], right[named])], ignore_index=True)


def _two(pairs: Pairs, name: str) -> tuple[np.ndarray, np.ndarray]:
    return pairs.codes[name][pairs.mine], pairs.codes[name][pairs.theirs]


def _people(persons: pd.DataFrame) -> pd.DataFrame:
    """The records of persons known to several institutions, with the compared columns, reindexed."""
    out = _of_several(persons.dropna(subset=["person_id"])).reset_index(drop=True)
    whole = out["birth_precision"] == "day"
    ten = out["personal_number"].str.fullmatch(r"\d{10}", na=False)
    read = map_frame(out["full_name"].fillna(""), _read, dict.fromkeys(("first", "last", "folded", "single"), "str"))
    return out.assign(
        birth_day=out["birth_date"].where(whole),
        personal_number=out["personal_number"].where(ten),
        sex=out["sex"].where(out["sex"].isin(["male", "female"])),
        **read,
    )


def _of_several(persons: pd.DataFrame) -> pd.DataFrame:
    """The records of persons known to several institutions."""
    (person, people), (institution, institutions) = (pd.factorize(persons[name]) for name in ("person_id", "institution"))
    at = np.unique(person * len(institutions) + institution) // max(len(institutions), 1)  # each person once per institution
    return persons[np.bincount(at, minlength=len(people))[person] > 1]


def _read(name: str) -> tuple[str | None, str | None, str, str]:
    """The first and the last of several names in a full name, and the result of `spelled.once`."""
    tokens = phrase_skeleton(name).split()
    first, last = (tokens[0], tokens[-1]) if len(tokens) > 1 else (None, None)
    return first, last, *spelled.once(name)


def _codes(people: pd.DataFrame) -> tuple[dict[str, np.ndarray], Sequence[str]]:
    """`codes` and `tokens` of `Pairs`; `person_id` in the order of the records; `record`: institution and key."""
    columns = ("institution", "case_id", "birth_day", "sex", *_COPIED, "name_tokens", "folded", "single")
    numbered = {name: pd.factorize(people[name], sort=True) for name in columns}
    out: dict[str, np.ndarray] = {name: codes for name, (codes, _) in numbered.items()}
    both = pd.factorize(pd.concat([people["first"], people["last"]]), sort=True)[0]
    out |= {"first": both[: len(people)], "last": both[len(people) :], "person_id": pd.factorize(people["person_id"])[0]}
    out["record"] = people.groupby(["institution", "record_key"], sort=False).ngroup().to_numpy()
    return out, numbered["name_tokens"][1].tolist()


def _pairs(people: pd.DataFrame, codes: Mapping[str, np.ndarray], tokens: Sequence[str], some: np.ndarray) -> Pairs:
    """The pairs among the records `some` (row numbers)."""
    one = pd.DataFrame({"person": codes["person_id"][some], "institution": codes["institution"][some], "at": some})
    both = one.merge(one, on="person", suffixes=("_l", "_r"))
    both = both[both["institution_l"] != both["institution_r"]]
    return Pairs(people, codes, tokens, both["at_l"].to_numpy(), both["at_r"].to_numpy())


def _in_question(pairs: Pairs, differ: np.ndarray) -> np.ndarray:
    """Pairs whose `mine` differs in at least one pair; the others give no evidence."""
    record = pairs.codes["record"]
    asked = np.zeros(record.max(initial=0) + 1, dtype=bool)
    asked[record[pairs.mine[differ]]] = True
    return asked[record[pairs.mine]]


def _compared(pairs: Pairs, column: str, concept: str) -> pd.DataFrame:
    """Evidence on pairs in which both have the field: receiver, sender, whether they agree, which senders agree with each other."""
    held = pairs.where(pairs.both(column))
    held = held.where(_in_question(held, ~held.same(column)))
    return _rows(held, held.same(column), held.codes[column][held.theirs], held.field(concept))


def _rows(held: Pairs, same: np.ndarray, value: np.ndarray, field: pd.Series) -> pd.DataFrame:
    """value: the sender's value, sortable."""
    about, theirs = held.text("about", held.mine), held.text("about", held.theirs)
    out = pd.DataFrame(
        {
            "receiver": held.text("institution", held.mine),
            "record_key": held.text("record_key", held.mine),
            "field": field,
            "sender": held.text("institution", held.theirs),
            "sender_key": held.text("record_key", held.theirs),
            "same": same,
            "group": pd.factorize(value, sort=True)[0],
            "role": np.where((about == "victim") | (theirs == "victim"), "victim", about),
            "case_id": held.text("case_id", held.mine),
        }
    )
    return out.assign(apart=_apart(out, held))


def _apart(rows: pd.DataFrame, held: Pairs) -> pd.Series:
    """Per row the other institutions with the same value that did not copy from the sender: another cell that both fill differs.

    A copied record is copied whole; independently entered records differ somewhere. Cells are compared as delivered. The receiver is
    included where it agrees.
    """
    self_apart = np.zeros(len(rows), dtype=bool)
    for name in _COPIED:
        self_apart |= held.both(name) & ~held.same(name)
    self_apart &= rows["same"].to_numpy()
    institution = held.codes["institution"]
    one = pd.DataFrame(
        {"record": held.codes["record"][held.mine], "group": rows["group"], "sender": institution[held.theirs], "at": held.theirs}
    )
    one = one.reset_index()
    both = one.merge(one, on=["record", "group"], suffixes=("", "_other"))
    both = both[both["sender"] != both["sender_other"]]
    senders = replace(held, mine=both["at"].to_numpy(), theirs=both["at_other"].to_numpy())
    differs = np.zeros(len(senders), dtype=bool)
    for name in _COPIED:
        differs |= senders.both(name) & ~senders.same(name)
    own_name = pd.DataFrame({"index": rows.index[self_apart], "sender_other": institution[held.mine[self_apart]]})
    every = pd.concat([both.loc[differs, ["index", "sender_other"]], own_name], ignore_index=True).drop_duplicates()
    bits = pd.Series(1 << every["sender_other"].to_numpy(), index=every["index"]).groupby(level=0).sum()  # a bit set of institutions
    institutions = sorted(held.people["institution"].dropna().unique())
    named = {sum_: ",".join(name for n, name in enumerate(institutions) if sum_ >> n & 1) for sum_ in bits.unique()}
    return bits.map(named).reindex(rows.index).astype("str")


def _names(known: LinkedRecords, held: Pairs, alike: np.ndarray, left: np.ndarray, right: np.ndarray) -> list[pd.DataFrame]:
    """Misspelled names, and given name and surname exchanged: on pairs identified by number, birth date or case.

    alike: number of common names. left, right: the one name of each side that the other lacks (`spelled.tokens`).
    """
    doubled = ~held.same("folded") & held.same("single")
    near = spelled.near(left, right) | doubled
    first, last = held.codes["first"][held.mine], held.codes["last"][held.mine]
    can_swap = held.field("given_name").notna().to_numpy() & ((first != last) | (first < 0))
    swapped = can_swap & held.same("first", "last") & held.same("last", "first")
    asked = _in_question(held, near | swapped)
    held, left, right, alike = held.where(asked), left[asked], right[asked], alike[asked]
    doubled, near, can_swap, swapped = (mask[asked] for mask in (doubled, near, can_swap, swapped))
    given, surname, full = (held.field(name) for name in ("given_name", "surname", "full_name"))
    own = held.text("given_skeleton", held.mine)
    in_given = [token in str(name).split() for token, name in zip(left, own, strict=True)]
    where = full.where(full.notna(), given.where(pd.Series(in_given, dtype=bool), surname))
    where = where.where(~doubled | full.notna(), given)
    agree = can_swap & held.same("first") & held.same("last")
    typed = _rows(held, ~near, right.astype("str"), where)[(near | (alike >= _SURE)) & ~swapped]
    either = [_rows(held, ~swapped, swapped, field)[swapped | agree] for field in (given, surname)]
    return [known.finished(part, "name") for part in (typed, *either)]
