"""Select the pairs of files that are certainly of one case, or certainly of two cases, before pairs are weighed. Shares of evidence are
estimated on these pairs.

Belongs here: this selection. Does not belong here: the shares (`evidence`), decisions (`cases`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipelines.linkage import cluster
from pipelines.linkage.evidence import CertainCaseFilePairs, assign_institution_numbers
from pipelines.linkage.standardise import LinkageRecords
from sources import contract

# Bits with which persons must agree for a pair of files to be certainly one case, in addition to a citation of a number of only one file.
CERTAIN_PERSON = 10.0


def find_certain_case_file_pairs(records: LinkageRecords, pairs: pd.DataFrame) -> CertainCaseFilePairs:
    """Return pairs of files that are certainly of one case, and pairs that are certainly of different cases.

    Files are certainly of one case if a number is cited that only one file has, and a person agrees clearly. Such files form groups, and
    all pairs within a group count.

    Files are certainly of different cases if a person agrees clearly, but the files are in different groups, each with its own file of the
    same institution that opens cases.
    """
    certain = pairs[pairs["single"] & (pairs["best"] >= CERTAIN_PERSON)]
    groups = cluster.find_connected_components(len(records.files), certain["a"].to_numpy(), certain["b"].to_numpy())
    is_grouped = np.bincount(groups, minlength=len(groups) + 1)[groups] > 1
    clear = pairs[pairs["best"] >= CERTAIN_PERSON][["a", "b", "left", "right"]]
    in_one_group = groups[clear["a"]] == groups[clear["b"]]
    # The same offence day in both groups, or a separated party: perhaps one case with two files at the prosecution.
    offence = records.files.groupby(groups)["offence"].min().reindex(range(len(groups))).to_numpy()
    first, second = groups[clear["a"]], groups[clear["b"]]
    between = np.minimum(first, second) * len(groups) + np.maximum(first, second)
    perhaps_one_case = (offence[first] == offence[second]) | np.isin(between, between[were_case_files_separated(records, clear)])
    # Groups that complement each other may be one case without a citation; if both have a file of one opening institution, they are two.
    openers = _find_institutions_that_opened_cases(records, groups)
    have_same_opener = (openers[first] & openers[second]) > 0
    return CertainCaseFilePairs(
        clear[in_one_group], clear[~in_one_group & ~perhaps_one_case & have_same_opener & is_grouped[clear["a"]] & is_grouped[clear["b"]]]
    )


def _find_institutions_that_opened_cases(records: LinkageRecords, group_of_file: np.ndarray) -> np.ndarray:
    """Return, as bits, the institutions that open cases and have a file in each group.

    Such an institution keeps one file per case, while a court may divide a case.
    """
    origins = contract.institutions_at_stages("registration", "prosecution")
    code, names = assign_institution_numbers(records)
    bit = np.array([1 << origins.index(name) if name in origins else 0 for name in names], dtype="int64")
    bits = np.zeros(len(group_of_file), dtype="int64")
    np.bitwise_or.at(bits, group_of_file, bit[code])
    return bits


def were_case_files_separated(records: LinkageRecords, pairs: pd.DataFrame) -> np.ndarray:
    """Return for each pair whether its files, both of one institution, were separated.

    They were if the person of one file was separated on the day on which the other file was received.
    """
    institution, _ = assign_institution_numbers(records)
    received = records.files["received"].to_numpy()
    day = np.append(records.persons["separated"].to_numpy(), np.datetime64("NaT"))
    a, b, left, right = (pairs[name].to_numpy() for name in ("a", "b", "left", "right"))
    same_day = (day[left] == received[b]) | (day[right] == received[a])
    return np.asarray(same_day & (institution[a] == institution[b]), dtype=bool)
