"""Pairs of persons, one from each of two files, who can be the same person.

Belongs here: which persons of a pair of files are compared. Does not belong here: the evidence for the files (`cases`).
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

# Pairs of files with more pairs of persons than this are decided only by references, dates and seats.
MAX_PERSON_PAIRS = 22_500


@dataclass(frozen=True)
class PersonOverlap:
    """Pairs of persons of two files `a`, `b` who can be one person, with the match `weight`.

    They are sorted by the row of the pair of files (`pair`), `left` (of `a`), `right` (of `b`). sides: two arrays for
    each of the two files. The first array has the row of the pair of files for each person, the second the number of the person in each
    pair of persons.
    """

    pair: np.ndarray
    left: np.ndarray
    right: np.ndarray
    weight: np.ndarray
    sides: tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def compare_persons_of_case_files(records: LinkageRecords, person_pairs: ComparedPersonPairs, pairs: pd.DataFrame) -> PersonOverlap:
    """Compare the persons of the two files of each pair in `pairs`."""
    pair, left, right = _find_comparable_persons_of_case_files(records, pairs)
    person_pairs.add_pairs(left, right)
    size = max(len(records.persons), 1)
    new = is_first_of_equal_numbers(pair * size + left)  # already sorted
    persons, person_number = np.unique(pair * size + right, return_inverse=True)
    sides = (pair[new], np.cumsum(new) - 1), (persons // size, person_number)
    return PersonOverlap(pair, left, right, person_pairs.weight[person_pairs.find_positions_of_pairs(left, right)], sides)


def _find_comparable_persons_of_case_files(records: LinkageRecords, pairs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pairs of persons of the two files of each pair who can be one person: row of the pair, person of `a`, person of `b`.

    There are none if both files have very many persons, and none for records without identifying values.
    """
    of_file: RowIndexByOwner = records.compute_once(
        "of_file", lambda: RowIndexByOwner(records.persons["file"].to_numpy("int64"), len(records.files))
    )
    a, b = pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64")
    rows = np.flatnonzero(of_file.sizes[a] * of_file.sizes[b] <= MAX_PERSON_PAIRS)
    pair, left, right = of_file.combine_rows(a[rows], b[rows])
    pair = rows[pair]
    # Only institutions whose contracts have a code for victims and witnesses have them in their files.
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
