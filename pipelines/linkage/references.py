"""Case numbers as evidence: which case file cites the number of which other file, and which files cite the same number.

Belongs here: finding the case files that have a cited number, even if its register is missing or one of its characters is wrong. Does not
belong here: the weight of a citation (`cases`), reading numbers (`pipelines.harmonisation.case_numbers`). In this module, "file" means case
file.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.linkage.hashing import open_shared_in_memory_database
from pipelines.linkage.record_states import are_values_among, number_distinct_rows
from pipelines.linkage.standardise import LinkageRecords
from pipelines.resources.integer_arrays import RowIndexByOwner

# If more files than this cite a number, the citation is no evidence that two of them are one case.
MAX_CITING_FILES = 300
# Two stays in detention begin together if they begin at most `TOGETHER_DAYS` days apart. If more than `MAX_DETAINED_TOGETHER` stays for an
# offence group begin on one day at a seat, they are not connected.
TOGETHER_DAYS, MAX_DETAINED_TOGETHER = 2, 30
# Stays are also not connected if more than `MAX_EXPECTED_BY_CHANCE` other stays are expected to begin by chance within those days, at the
# same seat and for the same offence group. The number is estimated over the time of all stays, but at least over `MIN_SPAN_DAYS` days.
MAX_EXPECTED_BY_CHANCE, MIN_SPAN_DAYS = 0.25, 365
# A number is uninformative if the number of files that cite it, times the number of files that have it, exceeds this.
MAX_TIES = 3_000
# The register in a case number (`PP.II.nr.89/2011`), which is often omitted.
REGISTER_PATTERN = r"\.[A-Z]+\."


def find_citations_between_case_files(records: LinkageRecords) -> pd.DataFrame:
    """Return the citations: one row for each file `a` that cites the number of a file `b`.

    - `a`, `b`: the rows of the two files
    - `number`: the number that `a` cites
    - `bearers`: how many files have this number
    - `near`: whether no file has exactly this number, but the number of `b` differs from it in a single character (a digit is wrong,
      missing or added, or two digits are swapped)
    - `current`: whether the accepted state of `a` contains the citation
    """
    borne = records.own.rename(columns={"file": "b"})
    references = records.references.rename(columns={"file": "a"})[["a", "number", "current"]]
    references = references[~are_values_among(references["number"], find_uninformative_case_numbers(records))]
    references = references.sort_values("current", ascending=False, kind="stable").drop_duplicates(["a", "number"])
    exact = references.merge(borne, on="number")
    loose = _find_case_files_by_number_without_register(references, borne)
    citations = pd.concat([exact, loose], ignore_index=True)
    open_references = references[~are_values_among(references["number"], citations["number"])]
    near = _find_case_files_by_number_with_wrong_character(open_references, borne)
    citations = pd.concat([citations.assign(near=False), near.assign(near=True)], ignore_index=True)
    citations = citations[citations["a"] != citations["b"]].drop_duplicates(["a", "b", "number"])
    citations["bearers"] = citations.groupby(["a", "number"])["b"].transform("nunique")
    citations = citations.astype({"a": "int64", "b": "int64"})
    return citations.sort_values(["a", "b", "number"], kind="stable").reset_index(drop=True)[
        ["a", "b", "number", "bearers", "near", "current"]
    ]


def find_uninformative_case_numbers(records: LinkageRecords) -> pd.Index:
    """Find the case numbers that so many files cite, or have, that a citation of them is no evidence."""
    citing, bearing = records.references["number"].value_counts(), records.own["number"].value_counts()
    ties = citing * bearing.reindex(citing.index).fillna(1)
    return ties.index[ties > MAX_TIES]


def find_mergers_of_case_files(records: LinkageRecords) -> pd.DataFrame:
    """Return the mergers: one row for each file `a` and each file `b` of the same institution into which `a` may have been merged.

    `a` names the number of the file into which it was merged. bearers: how many files have this number. near: whether the number of `b`
    differs from it in a single character. For one file `a` there can be rows with exactly the number and rows with a similar number, since
    a number with a wrong digit is often the number of another file.
    """
    institution = records.files["institution"].to_numpy()
    merging = np.unique(institution[records.merges["file"].to_numpy("int64")])
    merged, borne = records.merges.rename(columns={"file": "a"}), records.own.rename(columns={"file": "b"})
    borne = borne[np.isin(institution[borne["b"].to_numpy("int64")], merging)]
    near = _find_case_files_by_number_with_wrong_character(merged, borne)
    mergers = pd.concat([merged.merge(borne, on="number").assign(near=False), near.assign(near=True)], ignore_index=True)
    a, b = mergers["a"].to_numpy("int64"), mergers["b"].to_numpy("int64")
    mergers = mergers[(institution[a] == institution[b]) & (a != b)].drop_duplicates(["a", "b"])
    mergers["bearers"] = mergers.groupby(["a", "number", "near"])["b"].transform("nunique")
    return mergers.astype({"a": "int64", "b": "int64"})[["a", "b", "bearers", "near"]].reset_index(drop=True)


def find_case_files_citing_same_number(records: LinkageRecords) -> pd.DataFrame:
    """Return the pairs of files that cite the same number, if no file has this number.

    Columns: a, b (the rows of the two files, `a` < `b`), citing (how many files cite the number). If a file had the number, the two files
    would already be connected through this file, and the number would count twice.
    """
    references = records.references.rename(columns={"file": "a"})[["a", "number"]].drop_duplicates()
    references = references[
        ~references["number"].str.contains("?", regex=False) & ~are_values_among(references["number"], records.own["number"])
    ]
    references = references.assign(citing=references.groupby("number")["a"].transform("size"))
    several = references[references["citing"].between(2, MAX_CITING_FILES)]
    pairs = several.merge(several[["a", "number"]].rename(columns={"a": "b"}), on="number")
    pairs = pairs[pairs["a"] < pairs["b"]].sort_values(["a", "b", "citing", "number"], kind="stable").drop_duplicates(["a", "b"])
    return pairs[["a", "b", "citing"]].reset_index(drop=True)


def find_detentions_begun_together(records: LinkageRecords) -> pd.DataFrame:
    """Return the pairs of stays in detention that began together: within `TOGETHER_DAYS` days, at the same seat, for the same offence
    group, and of different persons.

    Columns: a, b (the case files of the two stays, `a` < `b`), days (the days between the beginnings of the stays). Persons who are
    arrested together are detained together. If no other file of their case was delivered, this is their only connection.
    """
    stays = records.persons[["file", "register_id", "detained"]].join(records.files[["seat", "group"]], on="file")
    stays = stays[stays["file"] >= 0].dropna(subset=["detained", "seat", "group"])
    stays = stays.assign(day=stays["detained"].astype("datetime64[s]").astype("int64") // 86_400)
    number, size = number_distinct_rows(stays[["seat", "group"]])
    span = max(stays["day"].max() - stays["day"].min() + 1 if len(stays) else 0, MIN_SPAN_DAYS)
    by_chance = np.bincount(number, minlength=size)[number] / span * (2 * TOGETHER_DAYS + 1)
    stays = stays[by_chance <= MAX_EXPECTED_BY_CHANCE]
    stays = stays[stays.groupby(["seat", "group", "day"])["file"].transform("size") <= MAX_DETAINED_TOGETHER]
    days = range(-TOGETHER_DAYS, TOGETHER_DAYS + 1)
    near = pd.concat([stays.assign(day=stays["day"] + later, days=abs(later)) for later in days])
    pairs = stays.merge(near, on=["seat", "group", "day"], suffixes=("", "_other"))
    pairs = pairs[(pairs["file"] < pairs["file_other"]) & (pairs["register_id"] != pairs["register_id_other"])]
    stay_pairs = pairs[["file", "file_other", "days"]].set_axis(["a", "b", "days"], axis=1).astype("int64")
    return stay_pairs.sort_values(["a", "b", "days"], kind="stable").drop_duplicates(["a", "b"]).reset_index(drop=True)


def do_case_files_cite_different_numbers(records: LinkageRecords, pairs: pd.DataFrame) -> np.ndarray:
    """Return for each pair of files whether both cite numbers of the same kind (such as police numbers), but no number of this kind that
    both cite.
    """
    rows, kind, number, plain, loose = records.compute_once("cited_numbers", lambda: _index_citations_by_case_file(records))
    pair, one, other = rows.combine_rows(pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64"))
    alike = kind[one] == kind[other]
    pair, one, other = pair[alike], one[alike], other[alike]
    differ = np.zeros(len(pairs), dtype=bool)
    differ[pair] = True
    differ[pair[(number[one] == number[other]) | ((plain[one] == plain[other]) & (loose[one] | loose[other]))]] = False
    return differ


def _index_citations_by_case_file(records: LinkageRecords) -> tuple[RowIndexByOwner, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return an index of the distinct citations by the file that cites, and four arrays with an element for each citation.

    The arrays are: a code for the kind of the number, a code for the number, a code for the number without its register, and whether the
    register is missing in the number.
    """
    citations = records.references[["file", "kind", "number"]].drop_duplicates()
    loose = citations["number"].str.contains("?", regex=False).to_numpy(dtype=bool)
    plain = citations["number"].str.replace(REGISTER_PATTERN, ".?.", n=1, regex=True)
    kind, number, without = (pd.factorize(values)[0] for values in (citations["kind"], citations["number"], plain))
    return RowIndexByOwner(citations["file"].to_numpy("int64"), len(records.files)), kind, number, without, loose


def _find_case_files_by_number_without_register(references: pd.DataFrame, numbers_of_files: pd.DataFrame) -> pd.DataFrame:
    """For each cited number with unknown register (`PP.?.nr.89/2011`), find the files whose number is the same apart from the register."""
    unknown = references[references["number"].str.contains("?", regex=False)]
    unknown = unknown.join(_extract_pattern_groups(unknown["number"], r"^(?P<label>[A-Z]+)\.\?\.(?P<rest>.+)$")).dropna(subset=["rest"])
    if unknown.empty:
        return unknown.assign(b=pd.Series(dtype="int64"))[["a", "number", "current", "b"]]
    labelled = numbers_of_files.join(
        _extract_pattern_groups(numbers_of_files["number"], r"^(?P<label>[A-Z]+)\.[A-Z]+\.(?P<rest>.+)$")
    ).dropna(subset=["rest"])
    return unknown.merge(labelled[["label", "rest", "b"]], on=["label", "rest"])[["a", "number", "current", "b"]]


def _extract_pattern_groups(numbers: pd.Series, pattern: str) -> pd.DataFrame:
    """Return the parts `label` and `rest` of each number, as the regular expression `pattern` finds them; null if it does not match."""
    groups = pc.extract_regex(pa.array(numbers, type=pa.string()), pattern)
    columns = {name: pc.struct_field(groups, name).to_pandas().array for name in ("label", "rest")}
    return pd.DataFrame(columns, index=numbers.index).astype("str")


def _find_case_files_by_number_with_wrong_character(references: pd.DataFrame, numbers_of_files: pd.DataFrame) -> pd.DataFrame:
    """Return `references` with the files `b` whose number differs from the number in `references` in a single character.

    Two numbers are found if they become equal when at most one digit is left out of each.
    """
    with open_shared_in_memory_database() as database:
        for name, frame in (("cited", references), ("borne", numbers_of_files)):
            database.register(name, pa.table({"number": pa.array(frame["number"], type=pa.string())}))
        # The century of the year is left out, since it was only guessed if the year was typed with two digits.
        plain = r"replace(regexp_replace(number, '/\d\d(\d\d)$', '/\1'), '?', '')"
        digits = "list_filter(range(1, length(plain) + 1), lambda i: substr(plain, i, 1) BETWEEN '0' AND '9')"
        shorter = f"list_transform({digits}, lambda i: left(plain, i - 1) || substr(plain, i + 1))"
        sides = [
            f"SELECT number, unnest(list_concat([plain], {shorter})) AS short FROM (SELECT number, {plain} AS plain FROM {name})"
            for name in ("(SELECT DISTINCT number FROM cited)", "(SELECT DISTINCT number FROM borne)")
        ]
        near_numbers = database.execute(
            f"SELECT DISTINCT a.number, b.number AS near FROM ({sides[0]}) a JOIN ({sides[1]}) b USING (short)"
        ).df()
    pairs = references.merge(near_numbers.astype("str"), on="number").merge(numbers_of_files.rename(columns={"number": "near"}), on="near")
    return pairs.drop(columns="near")
