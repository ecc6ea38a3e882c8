"""Decision records: the pairs of records that were joined or refused, with their weight and the evidence for it.

Belongs here: the frame of decision records, and the counts of a run. Does not belong here: making decisions. No name, date or number of a
person may be in a decision record.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.linkage import references
from pipelines.linkage.cases import PARTS, DecidedCases
from pipelines.linkage.person_pairs import ComparedPersonPairs
from pipelines.linkage.persons import DecidedPersons, compute_share_of_persons_in_several_cases
from pipelines.linkage.standardise import LinkageRecords
from pipelines.resources.integer_arrays import find_positions

KEY_COLUMNS = {"institution": "institution", "key": "record_key"}
DECISION_COLUMNS = ("entity", "institution_a", "key_a", "institution_b", "key_b", "weight", "decision", "reasons")
# Pairs that were not joined and weigh less than this (bits) are not in doubt, and no decision record is written for them.
MIN_RECORDED_WEIGHT = -8.0
# A pair whose weight is nearer to zero than this (bits) is in doubt.
DOUBT_BITS = 2.0
# Evidence of less than this number of bits, for or against a pair, is not mentioned in `reasons`.
MIN_REASON_BITS = 0.3


def build_decision_records(
    records: LinkageRecords, person_pairs: ComparedPersonPairs, decided_cases: DecidedCases, decided_persons: DecidedPersons
) -> pd.DataFrame:
    """Return the decision records: one row for each compared pair whose records are in one cluster, or that weighs at least
    `MIN_RECORDED_WEIGHT`.

    Pairs of case files come before pairs of persons; both are in the order of their records. Columns:

    - `person`: whether it is a pair of persons, and not of case files
    - `a`, `b`: the rows of the two records in `LinkageRecords.persons` or `LinkageRecords.files`
    - `weight`: log2 of the odds that the two records are one person, or one case
    - `joined`: whether the two records are in one cluster
    - `reasons`: the name and the bits of each piece of evidence, such as `given +6.2 birth -3.1`, starting with the most bits
    """
    case_rows = build_case_decision_records(decided_cases)
    left, right, weight = person_pairs.left, person_pairs.right, decided_persons.weight
    recorded = _find_recorded_pairs(left, right, weight, decided_persons.cluster)
    bits = person_pairs.bits.iloc[recorded].assign(same_case=decided_persons.within[recorded] * 1.0)
    person_rows = assemble_decision_records(
        True, left[recorded], right[recorded], weight[recorded], decided_persons.cluster, write_reasons_of_person_pairs(bits)
    )
    return pd.concat([case_rows, person_rows], ignore_index=True)


def build_case_decision_records(decided_cases: DecidedCases) -> pd.DataFrame:
    """Return the decision records of pairs of case files. The columns are those of `build_decision_records`."""
    pairs = decided_cases.pairs
    a, b, weight = pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64"), pairs["weight"].to_numpy("float64")
    recorded = _find_recorded_pairs(a, b, weight, decided_cases.cluster)
    rows = assemble_decision_records(
        False,
        a[recorded],
        b[recorded],
        weight[recorded],
        decided_cases.cluster,
        write_reasons_of_case_pairs(pairs, decided_cases.bits, recorded),
    )
    return rows.iloc[np.lexsort((rows["b"], rows["a"]))]


def write_reasons_of_case_pairs(pairs: pd.DataFrame, further_evidence: pd.DataFrame, recorded_rows: np.ndarray) -> pd.Series:
    """Return the text `reasons` for the pairs of case files at `recorded_rows`, which are row numbers in ascending order.

    pairs: all pairs of case files (`cases.DecidedCases.pairs`). further_evidence: their evidence of dates and codes
    (`cases.DecidedCases.bits`).
    """
    return _write_reason_texts(
        pd.concat([_convert_evidence_columns_to_rows(pairs[list(PARTS)], np.arange(len(pairs))), further_evidence], ignore_index=True),
        recorded_rows,
    )


def write_reasons_of_person_pairs(evidence_bits: pd.DataFrame) -> pd.Series:
    """Return the text `reasons` for pairs of persons. evidence_bits: the bits, with one row for each pair and one column for each kind of
    evidence.
    """
    all_pairs = np.arange(len(evidence_bits))
    return _write_reason_texts(_convert_evidence_columns_to_rows(evidence_bits, all_pairs), all_pairs)


def find_joined_pairs_against_rules(person_pairs: ComparedPersonPairs, decided_persons: DecidedPersons) -> pd.DataFrame:
    """Return the pairs of person records that are in one cluster although a hard rule forbids it, with their row numbers `a` and `b`."""
    rows = np.flatnonzero(
        decided_persons.never & (decided_persons.cluster[person_pairs.left] == decided_persons.cluster[person_pairs.right])
    )
    return pd.DataFrame({"a": person_pairs.left[rows], "b": person_pairs.right[rows]})


def replace_row_numbers_by_record_keys(decisions: pd.DataFrame, records: LinkageRecords) -> pd.DataFrame:
    """Return decision records with record keys in place of row numbers, and with the text `joined` or `refused` in the column `decision`.

    The columns are `DECISION_COLUMNS`.
    """
    person = decisions["person"].to_numpy(dtype=bool)
    parts = []
    for entity, frame, rows in (("case", records.files, decisions[~person]), ("person", records.persons, decisions[person])):
        decision = np.where(rows["joined"], "joined", "refused")
        parts.append(
            look_up_record_keys(rows, frame).assign(entity=entity, weight=rows["weight"], decision=decision, reasons=rows["reasons"])
        )
    return pd.concat(parts, ignore_index=True)[list(DECISION_COLUMNS)]


def look_up_record_keys(pairs: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """Return the record keys of `pairs`, whose columns `a` and `b` are row numbers of `records`. The index of `pairs` is kept.

    Columns: institution_a, key_a, institution_b, key_b.
    """
    sides = [
        (f"{name}_{side}", records[column].array.take(pairs[side].to_numpy())) for side in "ab" for name, column in KEY_COLUMNS.items()
    ]
    return pd.DataFrame(dict(sides), index=pairs.index).astype("str")


def _find_recorded_pairs(left: np.ndarray, right: np.ndarray, weight: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Return the numbers of the pairs for which a decision record is written (see `build_decision_records`)."""
    return np.flatnonzero((cluster[left] == cluster[right]) | (weight >= MIN_RECORDED_WEIGHT))


def _convert_evidence_columns_to_rows(evidence_bits: pd.DataFrame, pairs: np.ndarray) -> pd.DataFrame:
    """Convert evidence with one column for each kind to a frame with one row for each piece of evidence. Columns: pair, name, bits.

    evidence_bits: the bits, with one row for each of `pairs` and one column for each kind of evidence.
    """
    values = evidence_bits.to_numpy("float64")
    row, column = np.nonzero(np.abs(values) >= MIN_REASON_BITS)
    return pd.DataFrame({"pair": pairs[row], "name": evidence_bits.columns.to_numpy(dtype=object)[column], "bits": values[row, column]})


def assemble_decision_records(
    are_persons: bool, a: np.ndarray, b: np.ndarray, weight: np.ndarray, cluster: np.ndarray, reasons: pd.Series
) -> pd.DataFrame:
    """Make decision records (see `build_decision_records`) of the pairs `a`, `b` from their weights, the clusters and the `reasons`.

    are_persons: whether these are pairs of persons, and not of case files.
    """
    weight = weight.astype("float64").round(2)
    return pd.DataFrame({"person": are_persons, "a": a, "b": b, "weight": weight, "joined": cluster[a] == cluster[b], "reasons": reasons})


def _write_reason_texts(evidence: pd.DataFrame, recorded_pairs: np.ndarray) -> pd.Series:
    """Return the evidence for each of `recorded_pairs` (in ascending order) as a text, such as `given +6.2 birth -3.1`.

    The text begins with the piece of evidence that has the most bits, for or against the pair.
    """
    pair, value = evidence["pair"].to_numpy("int64"), evidence["bits"].to_numpy("float64")
    position, is_recorded = find_positions(pair, recorded_pairs)
    rows = np.flatnonzero((np.abs(value) >= MIN_REASON_BITS) & is_recorded)
    code, names = pd.factorize(evidence["name"])
    short = np.array([str(name).split(":")[0] for name in names], dtype=object)
    by_name = np.argsort(np.argsort(short, kind="stable"))
    rows = rows[np.lexsort((by_name[code[rows]], -np.abs(value[rows]), position[rows]))]
    # One text per name and tenth of a bit: few distinct texts, however many pairs.
    tenths = np.round(value[rows] * 10).astype("int64")
    least = int(tenths.min(initial=0))
    span = int(tenths.max(initial=0)) - least + 1
    text_number, texts = pd.factorize(code[rows] * span + tenths - least)
    words = pa.array([f"{short[text // span]} {(text % span + least) / 10:+.1f}" for text in texts.tolist()], type=pa.string())
    ends = np.concatenate([[0], np.cumsum(np.bincount(position[rows], minlength=len(recorded_pairs)))])
    lists = pa.ListArray.from_arrays(pa.array(ends, type=pa.int32()), words.take(pa.array(text_number)))
    return pd.Series(pc.binary_join(lists, " "), dtype="str")


def count_compared_pairs(person_pairs: ComparedPersonPairs, decided_cases: DecidedCases, decided_persons: DecidedPersons) -> dict[str, int]:
    """Count the pairs of persons and the pairs of case files that were compared, and how many of these pairs are in doubt."""
    return {
        "person_pairs_compared": len(person_pairs),
        "case_pairs_compared": len(decided_cases.pairs),
        "case_pairs_in_doubt": int(decided_cases.pairs["weight"].abs().lt(DOUBT_BITS).sum()),
        "person_pairs_in_doubt": int((np.abs(decided_persons.weight) < DOUBT_BITS).sum()),
    }


def count_run_statistics(
    records: LinkageRecords,
    blocking_report: pd.DataFrame,
    case_cluster: np.ndarray,
    person_cluster: np.ndarray,
    further_counts: Mapping[str, int | float | str],
) -> dict[str, int | float | str]:
    """Count the records, the clusters and the refused blocking values of a run, and add the counts in `further_counts`.

    The result contains no personal data. blocking_report: the report that `blocking.group_records_by_blocking_keys` makes.
    """
    refused = blocking_report.set_index("key")
    refused = refused[refused["refused_values"] > 0]
    counts: dict[str, int | float | str] = {
        "case_records": len(records.files),
        "cases": len(np.unique(case_cluster)),
        "person_records": len(records.persons),
        "persons": len(np.unique(person_cluster)),
        "persons_in_several_cases": round(compute_share_of_persons_in_several_cases(records.persons, case_cluster, person_cluster), 4),
        "references": len(records.references),
        "numbers_refused": len(references.find_uninformative_case_numbers(records)),
        **further_counts,
        "blocking_values_refused": int(refused["refused_values"].sum()),
        "blocking_pairs_refused": int(refused["refused_pairs"].sum()),
    }
    for key, row in refused.iterrows():
        counts[f"blocking_refused_{key}"] = int(row["refused_records"])
    return counts
