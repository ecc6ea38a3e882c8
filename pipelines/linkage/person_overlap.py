"""Comparison of the persons of two case files, to find persons who are in both.

Belongs here: which persons of two case files are compared with each other. Does not belong here: what their similarity says about the two
files (`cases`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.linkage.evidence import assign_institution_numbers
from pipelines.linkage.person_pairs import ComparedPersonPairs
from pipelines.linkage.persons import lack_identifying_values
from pipelines.linkage.standardise import LinkageRecords
from pipelines.resources.integer_arrays import RowIndexByOwner, is_first_of_equal_numbers
from sources import contract

# If two case files have more pairs of persons than this, their persons are not compared, and only references, dates and codes count.
MAX_PERSON_PAIRS = 22_500


@dataclass(frozen=True)
class PersonOverlap:
    """The compared pairs of persons of pairs of case files `a`, `b`. One person is in `a` and the other in `b`.

    - `pair`: for each pair of persons, the row of the pair of files
    - `left`, `right`: the person of `a` and the person of `b`; pairs of persons are sorted by `pair`, `left` and `right`
    - `weight`: the match weight of the two persons
    - `sides`: two arrays for file `a`, and two arrays for file `b`. The persons of the file are numbered separately for each pair of files.
      The first array has the row of the pair of files for each of these numbers. The second has the number of the person for each pair of
      persons.
    """

    pair: np.ndarray
    left: np.ndarray
    right: np.ndarray
    weight: np.ndarray
    sides: tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def compare_persons_of_case_files(records: LinkageRecords, person_pairs: ComparedPersonPairs, pairs: pd.DataFrame) -> PersonOverlap:
    """Compare the persons of the two case files of each of `pairs`."""
    pair, left, right = _find_comparable_persons_of_case_files(records, pairs)
    person_pairs.add_pairs(left, right)
    size = max(len(records.persons), 1)
    new = is_first_of_equal_numbers(pair * size + left)  # already sorted
    persons, person_number = np.unique(pair * size + right, return_inverse=True)
    sides = (pair[new], np.cumsum(new) - 1), (persons // size, person_number)
    return PersonOverlap(pair, left, right, person_pairs.weight[person_pairs.find_positions_of_pairs(left, right)], sides)


def _find_comparable_persons_of_case_files(records: LinkageRecords, pairs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the persons of the two case files of each of `pairs` who could be one person. Return three arrays: the row of the pair of files,
    the person of file `a`, and the person of file `b`.

    If two files have more than `MAX_PERSON_PAIRS` pairs of persons, there are none. Records without identifying values are left out, and
    persons whom the institution of the other file does not record, such as witnesses.
    """
    of_file: RowIndexByOwner = records.compute_once(
        "of_file", lambda: RowIndexByOwner(records.persons["file"].to_numpy("int64"), len(records.files))
    )
    a, b = pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64")
    rows = np.flatnonzero(of_file.sizes[a] * of_file.sizes[b] <= MAX_PERSON_PAIRS)
    pair, left, right = of_file.combine_rows(a[rows], b[rows])
    pair = rows[pair]
    # An institution has victims or witnesses in its files only if its contract has a code for them.
    code, names = assign_institution_numbers(records)
    side, sides = records.compute_once("sides", lambda: pd.factorize(records.persons["side"]))
    institutions_by_side = {
        side: contract.institutions_recording_role(side) if side in ("victim", "witness") else contract.institutions_recording_accused()
        for side in sides
    }
    can_name = np.array([[name in institutions_by_side.get(side, names) for name in names] for side in [*sides, None]], dtype=bool)
    can_name = can_name.reshape(len(sides) + 1, len(names))
    comparable = can_name[side[left], code[b[pair]]] & can_name[side[right], code[a[pair]]]
    has_identity: np.ndarray = records.compute_once("named", lambda: ~lack_identifying_values(records.persons))
    comparable &= has_identity[left] & has_identity[right]
    return pair[comparable], left[comparable], right[comparable]
