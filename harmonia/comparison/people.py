"""Differences between institutions' records of one person: personal number, birth date, sex, name.

Belongs here: deciding which two records are certainly of one person, and where they differ. Only such pairs are evidence, and not on the
field that made it certain. Does not belong here: linkage; how two names differ (`name_differences`). Differences of script or language in
names are never a defect: therefore skeletons are compared.

For speed, values are compared as integer codes, and records are named by row numbers: texts are fetched only where they differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from harmonia.comparison import name_differences
from harmonia.comparison.evidence import LinkedRecords, find_contract_columns
from pipelines.harmonisation.letters import make_phrase_skeleton, map_values_to_frame
from pipelines.harmonisation.personal_numbers import FULL_PATTERN

_MIN_COMMON_NAMES = 2  # with so many common names, two names are certainly one person's
_PERSONS_PER_CHUNK = 20_000
_COPIED_COLUMNS = ("full_name", "parent_name", "citizenship", "municipality", "personal_number", "birth_date")
_KEY = ("institution", "record_key", "case_id")


@dataclass(frozen=True)
class RecordPairs:
    """Pairs of records of one person at different institutions.

    The first record of a pair is the receiver's; the second is the sender's, which is evidence about the first. Each two records occur in
    both orders.
    people              the records
    codes               maps each column to the integer codes of its values; -1 for no value. Codes are in the sorted order of the values;
                        `first` and `last` (name) have common codes
    tokens              the texts that the codes of `name_tokens` stand for
    receivers, senders  row numbers in `people` of the two records of each pair
    """

    people: pd.DataFrame
    codes: Mapping[str, np.ndarray]
    tokens: Sequence[str]
    receivers: np.ndarray
    senders: np.ndarray

    def __len__(self) -> int:
        return len(self.receivers)

    def select_pairs(self, mask: np.ndarray) -> RecordPairs:
        """Return the pairs for which `mask` is true."""
        return replace(self, receivers=self.receivers[mask], senders=self.senders[mask])

    def have_both_values(self, column: str) -> np.ndarray:
        """Return for each pair whether both records have a value in `column`."""
        code = self.codes[column]
        return (code[self.receivers] >= 0) & (code[self.senders] >= 0)

    def have_same_value(self, column: str, sender_column: str = "") -> np.ndarray:
        """Return for each pair whether both records have a value, and the two values are equal.

        column: the compared column. sender_column: the column of the sender's record, if it is not `column`.
        """
        left, right = self.codes[column][self.receivers], self.codes[sender_column or column][self.senders]
        return (left >= 0) & (left == right)

    def differ_in_copied_columns(self) -> np.ndarray:
        """Return for each pair whether the records differ in a column that would be equal if one record were a copy of the other."""
        return np.logical_or.reduce([self.have_both_values(name) & ~self.have_same_value(name) for name in _COPIED_COLUMNS])

    def read_column_as_text(self, column: str, record_rows: np.ndarray) -> pd.Series:
        """Return the values of `column` as text, for the records with these row numbers (`receivers` or `senders`)."""
        return pd.Series(self.people[column].array.take(record_rows))

    def find_receiver_columns(self, concept: str) -> pd.Series:
        """Return for each pair the column in which the receiver delivers a concept such as birth date; null if it does not deliver it."""
        return self.read_column_as_text("institution", self.receivers).map(find_contract_columns(concept))


def collect_evidence_on_persons(linked_records: LinkedRecords) -> pd.DataFrame:
    """Collect the evidence on persons: one row for each record and record of another institution. Columns out: `EVIDENCE`.

    Both records are certainly of one person, and the record differs from at least one of the other institutions' records. Persons are
    compared in chunks to limit memory.
    """
    people = _select_comparable_records(linked_records.persons)
    codes, tokens = _encode_person_records(people)
    chunk = codes["person_id"] // _PERSONS_PER_CHUNK
    parts = [
        _collect_evidence_of_pairs(linked_records, _make_record_pairs(people, codes, tokens, np.flatnonzero(chunk == n)))
        for n in range(chunk.max(initial=0) + 1)
    ]
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def _collect_evidence_of_pairs(linked_records: LinkedRecords, record_pairs: RecordPairs) -> pd.DataFrame:
    """Collect the evidence that these pairs give on all compared fields."""
    common_names, left, right = name_differences.compare_names(
        record_pairs.tokens, *_read_column_codes_of_both_records(record_pairs, "name_tokens")
    )
    same_name = (common_names >= _MIN_COMMON_NAMES) | (
        (common_names == _MIN_COMMON_NAMES - 1) & name_differences.differ_by_typing_errors(left, right)
    )
    number, birth, case = (record_pairs.have_same_value(name) for name in ("personal_number", "birth_day", "case_id"))
    comparisons = (
        ("personal_number", "personal_number", same_name & (birth | case)),
        ("birth_date", "birth_day", number | (same_name & case)),
        ("sex", "sex", same_name & (number | birth)),
    )
    parts = [
        linked_records.convert_to_evidence(_collect_field_evidence(record_pairs.select_pairs(mask), column, what), what)
        for what, column, mask in comparisons
    ]
    identified = number | birth | (case & (common_names >= 1))
    return pd.concat(
        [
            *parts,
            *_collect_name_evidence(
                linked_records, record_pairs.select_pairs(identified), common_names[identified], left[identified], right[identified]
            ),
        ],
        ignore_index=True,
    )


def _read_column_codes_of_both_records(record_pairs: RecordPairs, column: str) -> tuple[np.ndarray, np.ndarray]:
    return record_pairs.codes[column][record_pairs.receivers], record_pairs.codes[column][record_pairs.senders]


def _select_comparable_records(persons: pd.DataFrame) -> pd.DataFrame:
    """Select the records of persons of whom several institutions have records, and add the compared columns. The result has a new index."""
    out = _select_persons_of_several_institutions(persons.dropna(subset=["person_id"])).reset_index(drop=True)
    exact_day = out["birth_precision"] == "day"
    valid_number = out["personal_number"].str.fullmatch(FULL_PATTERN, na=False)
    name_parts = map_values_to_frame(out["full_name"].fillna(""), _split_name, dict.fromkeys(("first", "last", "folded", "single"), "str"))
    return out.assign(
        birth_day=out["birth_date"].where(exact_day),
        personal_number=out["personal_number"].where(valid_number),
        sex=out["sex"].where(out["sex"].isin(["male", "female"])),
        **name_parts,
    )


def _select_persons_of_several_institutions(persons: pd.DataFrame) -> pd.DataFrame:
    """Select the records of persons of whom several institutions have records."""
    (person, people), (institution, institutions) = (pd.factorize(persons[name]) for name in ("person_id", "institution"))
    occurrences = np.unique(person * len(institutions) + institution) // max(len(institutions), 1)  # each person once per institution
    return persons[np.bincount(occurrences, minlength=len(people))[person] > 1]


def _split_name(name: str) -> tuple[str | None, str | None, str, str]:
    """Return the first and the last word of a full name (None if it has only one word), then the two results of `fold_names`."""
    tokens = make_phrase_skeleton(name).split()
    first, last = (tokens[0], tokens[-1]) if len(tokens) > 1 else (None, None)
    return first, last, *name_differences.fold_names(name)


def _encode_person_records(person_records: pd.DataFrame) -> tuple[dict[str, np.ndarray], Sequence[str]]:
    """Encode the values of records as integers, so that they can be compared fast.

    Returns the codes, by column; and the texts that the codes of `name_tokens` stand for. The codes of `person_id` are in the order in
    which the persons occur; the column `record` has one code for each combination of institution and key.
    """
    columns = ("institution", "case_id", "birth_day", "sex", *_COPIED_COLUMNS, "name_tokens", "folded", "single")
    encoded = {name: pd.factorize(person_records[name], sort=True) for name in columns}
    out: dict[str, np.ndarray] = {name: codes for name, (codes, _) in encoded.items()}
    names = pd.factorize(pd.concat([person_records["first"], person_records["last"]]), sort=True)[0]
    out |= {
        "first": names[: len(person_records)],
        "last": names[len(person_records) :],
        "person_id": pd.factorize(person_records["person_id"])[0],
    }
    out["record"] = person_records.groupby(["institution", "record_key"], sort=False).ngroup().to_numpy()
    return out, encoded["name_tokens"][1].tolist()


def _make_record_pairs(
    person_records: pd.DataFrame, codes: Mapping[str, np.ndarray], tokens: Sequence[str], rows: np.ndarray
) -> RecordPairs:
    """Make all pairs of records of one person at different institutions, from the records with the row numbers `rows`."""
    records = pd.DataFrame({"person": codes["person_id"][rows], "institution": codes["institution"][rows], "at": rows})
    matches = records.merge(records, on="person", suffixes=("_l", "_r"))
    matches = matches[matches["institution_l"] != matches["institution_r"]]
    return RecordPairs(person_records, codes, tokens, matches["at_l"].to_numpy(), matches["at_r"].to_numpy())


def _has_receiver_a_different_value(record_pairs: RecordPairs, has_different_values: np.ndarray) -> np.ndarray:
    """Return for each pair whether the receiver's record differs from the record of at least one sender.

    If it does not, the receiver gets no evidence.
    """
    record = record_pairs.codes["record"]
    differing = np.zeros(record.max(initial=0) + 1, dtype=bool)
    differing[record[record_pairs.receivers[has_different_values]]] = True
    return differing[record[record_pairs.receivers]]


def _collect_field_evidence(record_pairs: RecordPairs, column: str, concept: str) -> pd.DataFrame:
    """Collect the evidence that pairs give on one field, if both records have a value: whether the two values agree."""
    record_pairs = record_pairs.select_pairs(record_pairs.have_both_values(column))
    record_pairs = record_pairs.select_pairs(_has_receiver_a_different_value(record_pairs, ~record_pairs.have_same_value(column)))
    return _make_evidence_rows(
        record_pairs,
        record_pairs.have_same_value(column),
        record_pairs.codes[column][record_pairs.senders],
        record_pairs.find_receiver_columns(concept),
    )


def _make_evidence_rows(
    record_pairs: RecordPairs, has_same_value: np.ndarray, sender_values: np.ndarray, receiver_columns: pd.Series
) -> pd.DataFrame:
    """Make one row of evidence for each pair.

    has_same_value: whether the two values agree. sender_values: the sender's values, as something that can be sorted. receiver_columns:
    the columns in which the receivers deliver the value.
    """
    receiver_role, sender_role = (
        record_pairs.read_column_as_text("about", record_pairs.receivers),
        record_pairs.read_column_as_text("about", record_pairs.senders),
    )
    out = pd.DataFrame(
        {
            "receiver": record_pairs.read_column_as_text("institution", record_pairs.receivers),
            "record_key": record_pairs.read_column_as_text("record_key", record_pairs.receivers),
            "field": receiver_columns,
            "sender": record_pairs.read_column_as_text("institution", record_pairs.senders),
            "sender_key": record_pairs.read_column_as_text("record_key", record_pairs.senders),
            "same": has_same_value,
            "group": pd.factorize(sender_values, sort=True)[0],
            "role": np.where((receiver_role == "victim") | (sender_role == "victim"), "victim", receiver_role),
            "case_id": record_pairs.read_column_as_text("case_id", record_pairs.receivers),
        }
    )
    return out.assign(apart=_list_independent_institutions(out, record_pairs))


def _list_independent_institutions(evidence_rows: pd.DataFrame, record_pairs: RecordPairs) -> pd.Series:
    """Return for each row the institutions, other than the sender, that have the same value and did not copy it from the sender.

    This assumes that a copy is complete, and that records that were entered independently differ somewhere. So an institution counts as
    independent if its record differs from the sender's record in a copied column that both fill. The values are compared as delivered.
    The receiver is included if it has the same value.
    """
    receiver_independent = record_pairs.differ_in_copied_columns() & evidence_rows["same"].to_numpy()
    institution = record_pairs.codes["institution"]
    records = pd.DataFrame(
        {
            "record": record_pairs.codes["record"][record_pairs.receivers],
            "group": evidence_rows["group"],
            "sender": institution[record_pairs.senders],
            "at": record_pairs.senders,
        }
    )
    records = records.reset_index()
    agreeing = records.merge(records, on=["record", "group"], suffixes=("", "_other"))
    agreeing = agreeing[agreeing["sender"] != agreeing["sender_other"]]
    sender_pairs = replace(record_pairs, receivers=agreeing["at"].to_numpy(), senders=agreeing["at_other"].to_numpy())
    differs = sender_pairs.differ_in_copied_columns()
    agreeing_receivers = pd.DataFrame(
        {"index": evidence_rows.index[receiver_independent], "sender_other": institution[record_pairs.receivers[receiver_independent]]}
    )
    independent = pd.concat([agreeing.loc[differs, ["index", "sender_other"]], agreeing_receivers], ignore_index=True).drop_duplicates()
    bit_sets = pd.Series(1 << independent["sender_other"].to_numpy(), index=independent["index"]).groupby(level=0).sum()
    institutions = sorted(record_pairs.people["institution"].dropna().unique())
    institution_lists = {
        bit_set: ",".join(name for n, name in enumerate(institutions) if bit_set >> n & 1) for bit_set in bit_sets.unique()
    }
    return bit_sets.map(institution_lists).reindex(evidence_rows.index).astype("str")


def _collect_name_evidence(
    linked_records: LinkedRecords,
    record_pairs: RecordPairs,
    common_names: np.ndarray,
    receiver_only_names: np.ndarray,
    sender_only_names: np.ndarray,
) -> list[pd.DataFrame]:
    """Return the evidence of misspelled names, and of given names and surnames that were exchanged.

    record_pairs: pairs that number, birth date or case show to be one person. common_names: for each pair, the number of words that both
    names contain. receiver_only_names, sender_only_names: the one word of each name that the other name lacks
    (`name_differences.compare_names`).
    """
    doubled = ~record_pairs.have_same_value("folded") & record_pairs.have_same_value("single")
    misspelled = name_differences.differ_by_typing_errors(receiver_only_names, sender_only_names) | doubled
    first, last = record_pairs.codes["first"][record_pairs.receivers], record_pairs.codes["last"][record_pairs.receivers]
    can_be_exchanged = record_pairs.find_receiver_columns("given_name").notna().to_numpy() & ((first != last) | (first < 0))
    is_exchanged = can_be_exchanged & record_pairs.have_same_value("first", "last") & record_pairs.have_same_value("last", "first")
    differing = _has_receiver_a_different_value(record_pairs, misspelled | is_exchanged)
    record_pairs, receiver_only_names, sender_only_names, common_names = (
        record_pairs.select_pairs(differing),
        receiver_only_names[differing],
        sender_only_names[differing],
        common_names[differing],
    )
    doubled, misspelled, can_be_exchanged, is_exchanged = (
        mask[differing] for mask in (doubled, misspelled, can_be_exchanged, is_exchanged)
    )
    given, surname, full = (record_pairs.find_receiver_columns(name) for name in ("given_name", "surname", "full_name"))
    own_given_name = record_pairs.read_column_as_text("given_skeleton", record_pairs.receivers)
    in_given = [token in str(name).split() for token, name in zip(receiver_only_names, own_given_name, strict=True)]
    where = full.where(full.notna(), given.where(pd.Series(in_given, dtype=bool), surname))
    where = where.where(~doubled | full.notna(), given)
    agree = can_be_exchanged & record_pairs.have_same_value("first") & record_pairs.have_same_value("last")
    spelling = _make_evidence_rows(record_pairs, ~misspelled, sender_only_names.astype("str"), where)[
        (misspelled | (common_names >= _MIN_COMMON_NAMES)) & ~is_exchanged
    ]
    exchanged = [_make_evidence_rows(record_pairs, ~is_exchanged, is_exchanged, field)[is_exchanged | agree] for field in (given, surname)]
    return [linked_records.convert_to_evidence(part, "name") for part in (spelling, *exchanged)]
