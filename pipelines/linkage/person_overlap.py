"""Persons of two files who can be one person.

Belongs here: which persons of pairs of files are compared. Does not belong here: what they mean for the files (`cases`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.linkage.evidence import institutions
from pipelines.linkage.pairs import PersonPairs
from pipelines.linkage.persons import nameless
from pipelines.linkage.standardise import Records
from pipelines.resources.flat import Rows, begins
from sources import contract

# Files whose persons make more pairs than this are judged by references, dates and seats alone.
MOST_ACROSS = 22_500


@dataclass(frozen=True)
class PersonOverlap:
    """Persons of the two files of pairs who can be one, by row of the pair, then `left` (of `a`), then `right` (of `b`), and the match
    `weight`. `sides`: of either file the row of the pair of each person who is in it, and the number of that person per row here."""

    pair: np.ndarray
    left: np.ndarray
    right: np.ndarray
    weight: np.ndarray
    sides: tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def overlap(records: Records, people: PersonPairs, pairs: pd.DataFrame) -> PersonOverlap:
    """The persons of the two files of each of `pairs`, compared."""
    pair, left, right = _persons_across(records, pairs)
    people.add(left, right)
    size = max(len(records.persons), 1)
    new = begins(pair * size + left)  # in order already
    persons, place = np.unique(pair * size + right, return_inverse=True)
    sides = (pair[new], np.cumsum(new) - 1), (persons // size, place)
    return PersonOverlap(pair, left, right, people.weight[people.at(left, right)], sides)


def _persons_across(records: Records, pairs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of persons of the two files of each pair who can be one: row of the pair, person of `a`, person of `b`; none where both files
    hold a crowd, nor of records that name nobody: nobody can be found again by these."""
    of_file: Rows = records.once("of_file", lambda: Rows(records.persons["file"].to_numpy("int64"), len(records.files)))
    a, b = pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64")
    rows = np.flatnonzero(of_file.sizes[a] * of_file.sizes[b] <= MOST_ACROSS)
    pair, left, right = of_file.across(a[rows], b[rows])
    pair = rows[pair]
    # Victims and witnesses are only in the files of institutions whose contracts have a code for them.
    code, names = institutions(records)
    side, sides = records.once("sides", lambda: pd.factorize(records.persons["side"]))
    naming = {side: contract.naming(side) if side in ("victim", "witness") else names for side in sides}
    knows = np.array([[name in naming.get(side, names) for name in names] for side in [*sides, None]], dtype=bool)
    knows = knows.reshape(len(sides) + 1, len(names))
    known = knows[side[left], code[b[pair]]] & knows[side[right], code[a[pair]]]
    named: np.ndarray = records.once("named", lambda: ~nameless(records.persons))
    known &= named[left] & named[right]
    return pair[known], left[known], right[known]
