"""The record of what was decided: which pairs were joined or refused, on what weight and what evidence.

Belongs here: the frame of decisions and the counts of a run. Does not belong here: any decision; names, dates or numbers of persons.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipelines.linkage.blocking import Blocked
from pipelines.linkage.cases import Cases
from pipelines.linkage.pairs import PersonPairs
from pipelines.linkage.persons import Persons
from pipelines.linkage.standardise import Records

COLUMNS = ("entity", "institution_a", "key_a", "institution_b", "key_b", "weight", "decision", "reasons")
# Refused pairs below this weight (bits) were never in doubt and are only counted.
LEAST_WEIGHT = -8.0
# Evidence below this many bits is not worth a word.
LEAST_BITS = 0.3
CASE_PARTS = ("prior", "persons", "citation", "together", "another")
NO_EVIDENCE = ("a", "b", "left", "right", "best", "single", "weight")


def decisions(records: Records, people: PersonPairs, cases: Cases, persons: Persons) -> pd.DataFrame:
    """A row per pair that was joined, or refused in some doubt, columns `COLUMNS`; `reasons`: `evidence +bits` by size, one space between.

    `decision` is `joined` or `refused`; `weight` is log2 of the odds that the two records speak of one case, or one person.
    """
    parts = [c for c in cases.pairs.columns if c not in NO_EVIDENCE]
    case_rows = _rows("case", records.files, cases.pairs["a"], cases.pairs["b"], cases.pairs["weight"], cases.cluster, cases.pairs[parts])
    bits = people.bits.assign(same_case=persons.within * 1.0)
    person_rows = _rows("person", records.persons, people.left, people.right, persons.weight, persons.cluster, bits)
    return pd.concat([case_rows, person_rows], ignore_index=True)


def _rows(
    entity: str,
    frame: pd.DataFrame,
    a: np.ndarray | pd.Series,
    b: np.ndarray | pd.Series,
    weight: np.ndarray | pd.Series,
    cluster: np.ndarray,
    bits: pd.DataFrame,
) -> pd.DataFrame:
    left, right, weights = np.asarray(a, dtype="int64"), np.asarray(b, dtype="int64"), np.asarray(weight, dtype="float64")
    joined = cluster[left] == cluster[right] if len(left) else np.empty(0, dtype=bool)
    kept = np.flatnonzero(joined | (weights >= LEAST_WEIGHT))
    institution, key = frame["institution"].to_numpy(dtype=object), frame["record_key"].to_numpy(dtype=object)
    rows = {
        "entity": entity,
        "institution_a": institution[left[kept]],
        "key_a": key[left[kept]],
        "institution_b": institution[right[kept]],
        "key_b": key[right[kept]],
        "weight": weights[kept].round(2),
        "decision": np.where(joined[kept], "joined", "refused"),
        "reasons": _reasons(bits.iloc[kept]),
    }
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _reasons(bits: pd.DataFrame) -> np.ndarray:
    """Evidence of each row in words: `name +bits`, the weightiest first."""
    values = bits.to_numpy("float64")
    row, column = np.nonzero(np.abs(values) >= LEAST_BITS)
    names = np.array([str(c).split(":")[0] for c in bits.columns], dtype=object)
    found = pd.DataFrame({"row": row, "bits": values[row, column], "name": names[column]})
    found["size"] = -found["bits"].abs()
    found = found.sort_values(["row", "size", "name"], kind="stable")
    found["text"] = [f"{name} {value:+.1f}" for name, value in zip(found["name"], found["bits"], strict=True)]
    texts = found.groupby("row")["text"].agg(" ".join)
    return texts.reindex(range(len(bits))).fillna("").to_numpy(dtype=object)


def statistics(
    records: Records, blocked: Blocked, people: PersonPairs, cases: Cases, persons: Persons, version: str
) -> dict[str, int | float | str]:
    """Counts of a run: records, pairs, clusters, refused blocks, and on how many sure pairs the windows stand. No personal data."""
    report = blocked.report.set_index("key")
    refused = report[report["refused_values"] > 0]
    counts: dict[str, int | float | str] = {
        "model": version,
        "case_records": len(records.files),
        "cases": len(np.unique(cases.cluster)),
        "person_records": len(records.persons),
        "persons": len(np.unique(persons.cluster)),
        "references": len(records.references),
        "person_pairs_blocked": len(blocked.left),
        "person_pairs_compared": len(people),
        "case_pairs_compared": len(cases.pairs),
        "case_pairs_in_doubt": int(cases.pairs["weight"].abs().lt(2.0).sum()),
        "person_pairs_in_doubt": int((np.abs(persons.weight) < 2.0).sum()),
        "sure_case_pairs": int(max(cases.observed.values(), default=0)),
        "blocking_values_refused": int(refused["refused_values"].sum()),
        "blocking_pairs_refused": int(refused["refused_pairs"].sum()),
    }
    for key, row in refused.iterrows():
        counts[f"blocking_refused_{key}"] = int(row["refused_records"])
    return counts
