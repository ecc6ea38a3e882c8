"""Find the pairs of case files that are certainly of one case, or certainly of two cases. This is done before pairs are weighed, since the
shares with which dates and codes are weighed are estimated from these pairs.

Belongs here: the selection of these pairs. Does not belong here: the shares (`evidence`), decisions (`cases`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipelines.linkage import cluster
from pipelines.linkage.evidence import CertainCaseFilePairs, assign_institution_numbers
from pipelines.linkage.standardise import LinkageRecords
from sources import contract

# Two files are certainly one case only if a pair of their persons weighs at least so many bits, and a file cites a number of only one file.
CERTAIN_PERSON = 10.0


def find_certain_case_file_pairs(records: LinkageRecords, pairs: pd.DataFrame) -> CertainCaseFilePairs:
    """Return the pairs of case files that are certainly of one case, and the pairs that are certainly of different cases.

    Two files are certainly of one case if one cites the other by a number that no third file has, and a person of one clearly agrees with a
    person of the other. Files that are connected in this way form groups.

    Two files are certainly of different cases if a person of one clearly agrees with a person of the other, but the files are in different
    groups, and an institution that opens cases has a file in both groups.
    """
    certain = pairs[pairs["single"] & (pairs["best"] >= CERTAIN_PERSON)]
    groups = cluster.find_connected_components(len(records.files), certain["a"].to_numpy(), certain["b"].to_numpy())
    is_grouped = np.bincount(groups, minlength=len(groups) + 1)[groups] > 1
    clear = pairs[pairs["best"] >= CERTAIN_PERSON][["a", "b", "left", "right"]]
    in_one_group = groups[clear["a"]] == groups[clear["b"]]
    # If both groups have the same offence day, or a person was separated, they may be one case with two files at the prosecution.
    offence = records.files.groupby(groups)["offence"].min().reindex(range(len(groups))).to_numpy()
    first, second = groups[clear["a"]], groups[clear["b"]]
    between = np.minimum(first, second) * len(groups) + np.maximum(first, second)
    perhaps_one_case = (offence[first] == offence[second]) | np.isin(between, between[were_case_files_separated(records, clear)])
    # Two groups may be one case although no file cites the other, unless an institution that opens cases has a file in both.
    openers = _find_institutions_that_opened_cases(records, groups)
    have_same_opener = (openers[first] & openers[second]) > 0
    return CertainCaseFilePairs(
        clear[in_one_group], clear[~in_one_group & ~perhaps_one_case & have_same_opener & is_grouped[clear["a"]] & is_grouped[clear["b"]]]
    )


def _find_institutions_that_opened_cases(records: LinkageRecords, group_of_file: np.ndarray) -> np.ndarray:
    """Return, for each group of files, which of the institutions that open cases have a file in it, as the binary digits of a number.

    An institution that opens cases keeps one file for each case, while a court may divide a case into several files.
    """
    origins = contract.institutions_at_stages("registration", "prosecution")
    code, names = assign_institution_numbers(records)
    bit = np.array([1 << origins.index(name) if name in origins else 0 for name in names], dtype="int64")
    bits = np.zeros(len(group_of_file), dtype="int64")
    np.bitwise_or.at(bits, group_of_file, bit[code])
    return bits


def were_case_files_separated(records: LinkageRecords, pairs: pd.DataFrame) -> np.ndarray:
    """Return for each pair of files whether both are of one institution, and one was separated from the other.

    It was if a person was separated from one file on the day on which the other file was received.
    """
    institution, _ = assign_institution_numbers(records)
    received = records.files["received"].to_numpy()
    day = np.append(records.persons["separated"].to_numpy(), np.datetime64("NaT"))
    a, b, left, right = (pairs[name].to_numpy() for name in ("a", "b", "left", "right"))
    same_day = (day[left] == received[b]) | (day[right] == received[a])
    return np.asarray(same_day & (institution[a] == institution[b]), dtype=bool)
