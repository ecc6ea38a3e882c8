"""Decision records: which pairs were joined or refused, with weight and evidence.

Belongs here: the frame of decisions, and the counts of a run. Does not belong here: making decisions; names, dates or numbers of
persons.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.linkage import references
from pipelines.linkage.cases import PARTS, Cases
from pipelines.linkage.pairs import PersonPairs
from pipelines.linkage.persons import Persons, share_again
from pipelines.linkage.standardise import Records
from pipelines.resources.integer_arrays import find_positions

KEY = {"institution": "institution", "key": "record_key"}
COLUMNS = ("entity", "institution_a", "key_a", "institution_b", "key_b", "weight", "decision", "reasons")
# Refused pairs below this weight (bits) are not in doubt and are not recorded.
LEAST_WEIGHT = -8.0
# A pair whose weight is nearer to zero than this (bits) is in doubt.
IN_DOUBT = 2.0
# Evidence below so many bits is not mentioned in `reasons`.
LEAST_BITS = 0.3


def decision_records(records: Records, people: PersonPairs, cases: Cases, persons: Persons) -> pd.DataFrame:
    """Return one row for each pair that was joined, or refused in some doubt. Cases come before persons, and pairs are in the order of
    their records.

    - `person`: whether the pair is of persons
    - `a`, `b`: rows of the frames
    - `weight`: log2 of the odds that both are one case, or one person
    - `joined`: whether the pair is in one cluster
    - `reasons`: `evidence +bits`, the largest first, separated by a space
    """
    case_rows = case_decision_records(cases)
    left, right, weight = people.left, people.right, persons.weight
    recorded = _worth_recording(left, right, weight, persons.cluster)
    bits = people.bits.iloc[recorded].assign(same_case=persons.within[recorded] * 1.0)
    person_rows = as_decision_records(True, left[recorded], right[recorded], weight[recorded], persons.cluster, person_reasons(bits))
    return pd.concat([case_rows, person_rows], ignore_index=True)


def case_decision_records(cases: Cases) -> pd.DataFrame:
    """Return the decision records (`decision_records`) of pairs of files."""
    pairs = cases.pairs
    a, b, weight = pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64"), pairs["weight"].to_numpy("float64")
    recorded = _worth_recording(a, b, weight, cases.cluster)
    rows = as_decision_records(False, a[recorded], b[recorded], weight[recorded], cases.cluster, case_reasons(pairs, cases.bits, recorded))
    return rows.iloc[np.lexsort((rows["b"], rows["a"]))]


def case_reasons(pairs: pd.DataFrame, bits: pd.DataFrame, recorded: np.ndarray) -> pd.Series:
    """Write the `reasons` of the pairs of files at `recorded` (rows, ascending). `pairs` and further evidence `bits`: as in
    `cases.Cases`."""
    return _reason_texts(pd.concat([_evidence_rows(pairs[list(PARTS)], np.arange(len(pairs))), bits], ignore_index=True), recorded)


def person_reasons(bits: pd.DataFrame) -> pd.Series:
    """Write the `reasons` of pairs of persons. `bits`: one column for each kind of evidence, one row for each pair."""
    every = np.arange(len(bits))
    return _reason_texts(_evidence_rows(bits, every), every)


def against_rules(people: PersonPairs, persons: Persons) -> pd.DataFrame:
    """Return the pairs of person records (rows `a, b`) that are in one cluster although a hard rule forbids it."""
    rows = np.flatnonzero(persons.never & (persons.cluster[people.left] == persons.cluster[people.right]))
    return pd.DataFrame({"a": people.left[rows], "b": people.right[rows]})


def with_record_keys(rows_: pd.DataFrame, records: Records) -> pd.DataFrame:
    """Return `decision_records` with record keys instead of rows, and with `joined` or `refused` as `decision`. Columns: `COLUMNS`."""
    person = rows_["person"].to_numpy(dtype=bool)
    found = []
    for entity, frame, rows in (("case", records.files, rows_[~person]), ("person", records.persons, rows_[person])):
        decision = np.where(rows["joined"], "joined", "refused")
        found.append(record_keys_of(rows, frame).assign(entity=entity, weight=rows["weight"], decision=decision, reasons=rows["reasons"]))
    return pd.concat(found, ignore_index=True)[list(COLUMNS)]


def record_keys_of(pairs: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the record keys of the pairs of rows `a, b` of `frame`, on the same index. Columns: institution_a, key_a, institution_b,
    key_b."""
    sides = [(f"{name}_{side}", frame[column].array.take(pairs[side].to_numpy())) for side in "ab" for name, column in KEY.items()]
    return pd.DataFrame(dict(sides), index=pairs.index).astype("str")


def _worth_recording(left: np.ndarray, right: np.ndarray, weight: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Return the rows of the pairs that were joined, or refused in some doubt."""
    return np.flatnonzero((cluster[left] == cluster[right]) | (weight >= LEAST_WEIGHT))


def _evidence_rows(bits: pd.DataFrame, pairs: np.ndarray) -> pd.DataFrame:
    """Return one row for each piece of evidence (pair, name, bits), from a frame with one column for each kind of evidence and one row
    for each of `pairs`."""
    values = bits.to_numpy("float64")
    row, column = np.nonzero(np.abs(values) >= LEAST_BITS)
    return pd.DataFrame({"pair": pairs[row], "name": bits.columns.to_numpy(dtype=object)[column], "bits": values[row, column]})


def as_decision_records(
    person: bool, a: np.ndarray, b: np.ndarray, weight: np.ndarray, cluster: np.ndarray, reasons: pd.Series
) -> pd.DataFrame:
    """Build decision records (`decision_records`) of pairs of files or of persons from their weights, clusters and `reasons`."""
    weight = weight.astype("float64").round(2)
    return pd.DataFrame({"person": person, "a": a, "b": b, "weight": weight, "joined": cluster[a] == cluster[b], "reasons": reasons})


def _reason_texts(bits: pd.DataFrame, recorded: np.ndarray) -> pd.Series:
    """Write the evidence of the pairs at `recorded` (ascending) as text: `name +bits`, the largest first."""
    pair, value = bits["pair"].to_numpy("int64"), bits["bits"].to_numpy("float64")
    place, there = find_positions(pair, recorded)
    rows = np.flatnonzero((np.abs(value) >= LEAST_BITS) & there)
    code, names = pd.factorize(bits["name"])
    short = np.array([str(name).split(":")[0] for name in names], dtype=object)
    by_name = np.argsort(np.argsort(short, kind="stable"))
    rows = rows[np.lexsort((by_name[code[rows]], -np.abs(value[rows]), place[rows]))]
    # One text per name and tenth of a bit: few distinct texts, however many pairs.
    tenths = np.round(value[rows] * 10).astype("int64")
    least = int(tenths.min(initial=0))
    span = int(tenths.max(initial=0)) - least + 1
    which, texts = pd.factorize(code[rows] * span + tenths - least)
    words = pa.array([f"{short[text // span]} {(text % span + least) / 10:+.1f}" for text in texts.tolist()], type=pa.string())
    ends = np.concatenate([[0], np.cumsum(np.bincount(place[rows], minlength=len(recorded)))])
    lists = pa.ListArray.from_arrays(pa.array(ends, type=pa.int32()), words.take(pa.array(which)))
    return pd.Series(pc.binary_join(lists, " "), dtype="str")


def count_compared(people: PersonPairs, cases: Cases, persons: Persons) -> dict[str, int]:
    """Count the pairs of persons and files that were compared, and the pairs in doubt."""
    return {
        "person_pairs_compared": len(people),
        "case_pairs_compared": len(cases.pairs),
        "case_pairs_in_doubt": int(cases.pairs["weight"].abs().lt(IN_DOUBT).sum()),
        "person_pairs_in_doubt": int((np.abs(persons.weight) < IN_DOUBT).sum()),
    }


def run_statistics(
    records: Records, report: pd.DataFrame, case_cluster: np.ndarray, person_cluster: np.ndarray, counted: Mapping[str, int | float | str]
) -> dict[str, int | float | str]:
    """Count the records, clusters and refused blocks of a run (`report`: of blocking), and add the counts in `counted`. Contains no
    personal data."""
    refused = report.set_index("key")
    refused = refused[refused["refused_values"] > 0]
    counts: dict[str, int | float | str] = {
        "case_records": len(records.files),
        "cases": len(np.unique(case_cluster)),
        "person_records": len(records.persons),
        "persons": len(np.unique(person_cluster)),
        "persons_in_several_cases": round(share_again(records.persons, case_cluster, person_cluster), 4),
        "references": len(records.references),
        "numbers_refused": len(references.uninformative_citations(records)),
        **counted,
        "blocking_values_refused": int(refused["refused_values"].sum()),
        "blocking_pairs_refused": int(refused["refused_pairs"].sum()),
    }
    for key, row in refused.iterrows():
        counts[f"blocking_refused_{key}"] = int(row["refused_records"])
    return counts
