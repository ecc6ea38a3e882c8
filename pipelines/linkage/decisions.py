"""The record of what was decided: which pairs were joined or refused, on what weight and what evidence.

Belongs here: the frame of decisions and the counts of a run. Does not belong here: any decision; names, dates or numbers of persons.
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

COLUMNS = ("entity", "institution_a", "key_a", "institution_b", "key_b", "weight", "decision", "reasons")
# Refused pairs below this weight (bits) were never in doubt and are only counted.
LEAST_WEIGHT = -8.0
# A pair whose weight is nearer to zero than this (bits) is in doubt.
IN_DOUBT = 2.0
# Evidence below this many bits is not worth a word.
LEAST_BITS = 0.3


def decisions(records: Records, people: PersonPairs, cases: Cases, persons: Persons) -> pd.DataFrame:
    """A row per pair that was joined, or refused in some doubt, columns `COLUMNS`; `reasons`: `evidence +bits` by size, one space between.

    `decision` is `joined` or `refused`; `weight` is log2 of the odds that the two records speak of one case, or one person.
    """
    pairs = cases.pairs
    a, b, weight = pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64"), pairs["weight"].to_numpy("float64")
    kept = _worth_telling(a, b, weight, cases.cluster)
    bits = pd.concat([_long(pairs[list(PARTS)], np.arange(len(pairs))), cases.bits], ignore_index=True)
    case_rows = _rows("case", records.files, a[kept], b[kept], weight[kept], cases.cluster, _reasons(bits, kept))
    kept = _worth_telling(people.left, people.right, persons.weight, persons.cluster)
    bits = _long(people.bits.iloc[kept].assign(same_case=persons.within[kept] * 1.0), kept)
    left, right = people.left[kept], people.right[kept]
    person_rows = _rows("person", records.persons, left, right, persons.weight[kept], persons.cluster, _reasons(bits, kept))
    return pd.concat([case_rows, person_rows], ignore_index=True)


def against_rules(records: Records, people: PersonPairs, persons: Persons) -> pd.DataFrame:
    """Pairs of person records that are in one cluster although a hard rule forbids it: `institution_a, key_a, institution_b, key_b`."""
    rows = np.flatnonzero(persons.never & (persons.cluster[people.left] == persons.cluster[people.right]))
    names = records.persons[["institution", "record_key"]].astype("str")
    sides = [names.iloc[side[rows]].reset_index(drop=True) for side in (people.left, people.right)]
    return pd.concat(sides, axis=1).set_axis(list(COLUMNS[1:5]), axis=1)


def _worth_telling(left: np.ndarray, right: np.ndarray, weight: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Rows of the pairs that were joined, or refused in some doubt."""
    return np.flatnonzero((cluster[left] == cluster[right]) | (weight >= LEAST_WEIGHT))


def _long(bits: pd.DataFrame, pairs: np.ndarray) -> pd.DataFrame:
    """`pair, name, bits` of a frame with a column per kind of evidence and a row for each of `pairs`."""
    values = bits.to_numpy("float64")
    row, column = np.nonzero(np.abs(values) >= LEAST_BITS)
    return pd.DataFrame({"pair": pairs[row], "name": bits.columns.to_numpy(dtype=object)[column], "bits": values[row, column]})


def _rows(
    entity: str, frame: pd.DataFrame, left: np.ndarray, right: np.ndarray, weight: np.ndarray, cluster: np.ndarray, reasons: np.ndarray
) -> pd.DataFrame:
    institution, key = frame["institution"].to_numpy(dtype=object), frame["record_key"].to_numpy(dtype=object)
    rows = {
        "entity": entity,
        "institution_a": institution[left],
        "key_a": key[left],
        "institution_b": institution[right],
        "key_b": key[right],
        "weight": weight.astype("float64").round(2),
        "decision": np.where(cluster[left] == cluster[right], "joined", "refused"),
        "reasons": reasons,
    }
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _reasons(bits: pd.DataFrame, kept: np.ndarray) -> np.ndarray:
    """Evidence of the pairs `kept` (ascending) in words: `name +bits`, the weightiest first."""
    pair, value = bits["pair"].to_numpy("int64"), bits["bits"].to_numpy("float64")
    place = np.minimum(np.searchsorted(kept, pair), max(len(kept) - 1, 0))
    told = np.flatnonzero((np.abs(value) >= LEAST_BITS) & (kept[place] == pair)) if len(kept) else np.empty(0, dtype="int64")
    code, names = pd.factorize(bits["name"])
    short = np.array([str(name).split(":")[0] for name in names], dtype=object)
    by_name = np.argsort(np.argsort(short, kind="stable"))
    told = told[np.lexsort((by_name[code[told]], -np.abs(value[told]), place[told]))]
    # A text per name and tenth of a bit: there are few, however many pairs there are.
    tenths = np.round(value[told] * 10).astype("int64")
    texts, which = np.unique(np.column_stack([code[told], tenths]), axis=0, return_inverse=True)
    words = pa.array([f"{short[name]} {tenth / 10:+.1f}" for name, tenth in texts.tolist()], type=pa.string())
    ends = np.concatenate([[0], np.cumsum(np.bincount(place[told], minlength=len(kept)))])
    lists = pa.ListArray.from_arrays(pa.array(ends, type=pa.int32()), words.take(pa.array(which.ravel())))
    return np.asarray(pc.binary_join(lists, " ").to_numpy(zero_copy_only=False), dtype=object)


def compared(people: PersonPairs, cases: Cases, persons: Persons) -> dict[str, int]:
    """How many pairs were compared, and how many of them are in doubt."""
    return {
        "person_pairs_compared": len(people),
        "case_pairs_compared": len(cases.pairs),
        "case_pairs_in_doubt": int(cases.pairs["weight"].abs().lt(IN_DOUBT).sum()),
        "person_pairs_in_doubt": int((np.abs(persons.weight) < IN_DOUBT).sum()),
    }


def statistics(
    records: Records, report: pd.DataFrame, case_cluster: np.ndarray, person_cluster: np.ndarray, counted: Mapping[str, int | float | str]
) -> dict[str, int | float | str]:
    """Counts of a run: records, clusters, refused blocks (`report` of blocking), and what else was `counted`. No personal data."""
    refused = report.set_index("key")
    refused = refused[refused["refused_values"] > 0]
    counts: dict[str, int | float | str] = {
        "case_records": len(records.files),
        "cases": len(np.unique(case_cluster)),
        "person_records": len(records.persons),
        "persons": len(np.unique(person_cluster)),
        "persons_in_several_cases": round(share_again(records.persons, case_cluster, person_cluster), 4),
        "references": len(records.references),
        "numbers_refused": len(references.untelling(records)),
        **counted,
        "blocking_values_refused": int(refused["refused_values"].sum()),
        "blocking_pairs_refused": int(refused["refused_pairs"].sum()),
    }
    for key, row in refused.iterrows():
        counts[f"blocking_refused_{key}"] = int(row["refused_records"])
    return counts
