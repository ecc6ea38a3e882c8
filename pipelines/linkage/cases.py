"""Linkage of case files to cases. References, persons, dates, seats, offences and sentences are evidence that two files are one case.

Belongs here: candidate pairs of case files, their weight in bits, the clusters. Does not belong here: comparison of persons (`score`),
finding the files that a case number names (`references`), the evidence of dates and codes (`evidence`). In this module, "file" means case
file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.linkage import cluster, references
from pipelines.linkage.certain_pairs import find_certain_case_file_pairs, were_case_files_separated
from pipelines.linkage.constraints import ClusterConstraints
from pipelines.linkage.evidence import (
    EvidenceShares,
    EvidenceWeigher,
    assign_institution_numbers,
    assign_institution_pair_numbers,
    estimate_evidence_shares,
)
from pipelines.linkage.model import ExpectedPersonOverlap, LinkageModel
from pipelines.linkage.person_overlap import PersonOverlap, compare_persons_of_case_files
from pipelines.linkage.person_pairs import ComparedPersonPairs
from pipelines.linkage.record_states import map_values_to_numbers
from pipelines.linkage.standardise import LinkageRecords
from pipelines.resources.integer_arrays import (
    CodeLookup,
    RowIndexByOwner,
    compute_once_per_name,
    find_distinct_numbers,
    find_positions,
    find_row_of_largest_value_per_group,
)
from sources import contract

PARTS = ("prior", "persons", "citation", "together", "apart", "another")
# In the prior odds of a pair, an institution with fewer files counts as having this number of files.
MIN_FILES = 50
MAX_PERSON_BITS = 24.0
# If no institution has more files than this, two persons whose pair weighs at least the setting `share_bits` make their files a candidate
# pair. With twice as many files the pair of persons must weigh one bit more.
FEW_FILES = 2_000
# A person with more records than this gives no candidate pairs of files.
MAX_RECORDS_OF_PERSON = 60
# The expected overlap of two institutions of which the model has no entry: if none, one, or both of them open a file for each person.
UNKNOWN_PAIR = (ExpectedPersonOverlap(0.05, 0.5), ExpectedPersonOverlap(0.8, 0.9), ExpectedPersonOverlap(0.5, 0.5))
# A file about a victim cites files of other institutions in which the victim is a person. This share of the cited files names the victim.
SHARE_OF_CITED_NAMING_VICTIM = 0.98
# If a file was merged into another file, this share of its persons is also in the other file.
SHARE_OF_MERGED_IN_TARGET = 0.98
# Bits of a pair of files that is not a candidate.
UNTIED_BITS = -20.0
# Few files are merged, so a merger is stronger evidence than a citation, by this number of bits.
MERGED_BITS = 6.0
# Bits for two files of one institution if a person was separated from one on the day on which the other, with that person, was received.
SEPARATED_BITS = 5.0


@dataclass(frozen=True)
class ResultsOfPreviousRound:
    """The results of the previous round of linkage, which the next decision on cases uses.

    persons: the cluster of each person record; None in the first round. again: the share of persons who are in several cases.
    """

    persons: np.ndarray | None
    again: float


@dataclass(frozen=True)
class DecidedCases:
    """The decision which case files are one case.

    - `cluster`: the cluster of each file
    - `pairs`: one row for each candidate pair of files, with the files `a` and `b`, the bits of each kind of evidence in `PARTS`, and the
      weight
    - `bits`: the evidence of dates and codes, from `EvidenceWeigher.weigh_evidence`, one row for each pair and kind of evidence
    - `shares`: the shares with which the evidence of dates and codes was weighed
    """

    cluster: np.ndarray
    pairs: pd.DataFrame
    bits: pd.DataFrame
    shares: EvidenceShares


@dataclass(frozen=True)
class CaseFileConnections:
    """Pairs of case files that are connected by something other than similar persons.

    - `citations`: pairs in which one file cites the other (`references.find_citations_between_case_files`)
    - `mergers`: pairs in which one file was merged into the other (`references.find_mergers_of_case_files`)
    - `shared_citations`: pairs in which both files cite the same number (`references.find_case_files_citing_same_number`)
    - `stays_begun_together`: pairs of files about two persons who were detained within days of each other
      (`references.find_detentions_begun_together`)
    - `component`: the number of the component of each file; if it is given, pairs of files in different components are ignored
    """

    citations: pd.DataFrame
    mergers: pd.DataFrame
    shared_citations: pd.DataFrame
    stays_begun_together: pd.DataFrame
    component: np.ndarray | None = None

    @property
    def exact_citations(self) -> pd.DataFrame:
        """The citations in which the cited number is exactly the number of the other file."""
        return self.citations[~self.citations["near"]]

    @property
    def exact_mergers(self) -> pd.DataFrame:
        """The mergers in which the file names exactly the number of the other file.

        If the number has one wrong character, the merger counts only if the two files have a similar person.
        """
        return self.mergers[~self.mergers["near"]]


def find_connections_between_case_files(records: LinkageRecords) -> CaseFileConnections:
    """Find the pairs of case files in `records` that are connected by references, or by stays in detention that began together."""
    citations_and_mergers = (
        references.find_citations_between_case_files(records),
        references.find_mergers_of_case_files(records),
        references.find_case_files_citing_same_number(records),
    )
    return CaseFileConnections(*citations_and_mergers, references.find_detentions_begun_together(records))


def link_case_files(
    records: LinkageRecords,
    person_pairs: ComparedPersonPairs,
    model: LinkageModel,
    previous_round: ResultsOfPreviousRound,
    constraints: ClusterConstraints,
    connections: CaseFileConnections | None = None,
    evidence_shares: EvidenceShares | None = None,
) -> DecidedCases:
    """Decide which case files of `records` belong to one case.

    constraints: the decisions of stewards. connections: by default found in `records`. evidence_shares: the shares with which dates and
    codes are weighed, by default estimated from `records`.
    """
    connections = connections or find_connections_between_case_files(records)
    pairs = gather_case_file_pairs(records, person_pairs, model, previous_round, constraints.constrained_pairs, connections)
    if pairs.empty:
        bits, evidence_shares = pd.DataFrame({"pair": [], "name": [], "bits": []}), evidence_shares or EvidenceShares({}, {})
        pairs = pairs.assign(weight=0.0, another=0.0)
    else:
        pairs, bits, evidence_shares = weigh_case_file_pairs(records, model, pairs, evidence_shares)
        pairs["another"] = weigh_references_to_competing_case_files(records, model, pairs, connections, pairs)
        pairs["weight"] += pairs["another"]
    pairs, bits = _add_pairs_of_stays_begun_together(records, model, pairs, bits, connections.stays_begun_together)
    return DecidedCases(_form_clusters_of_case_files(records, model, pairs, constraints), pairs, bits, evidence_shares)


def _add_pairs_of_stays_begun_together(
    records: LinkageRecords, model: LinkageModel, pairs: pd.DataFrame, evidence_bits: pd.DataFrame, stays_begun_together: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add to `pairs` the stays in detention that began together and that nothing else connects. Return the pairs and their evidence.

    A stay is left out if it is probably in one case with a file of an institution that registers cases. Such a file names everybody who was
    arrested, so its persons already connect it with all other stays of that case.
    """
    stays = put_upstream_case_file_first(records, stays_begun_together["a"].to_numpy("int64"), stays_begun_together["b"].to_numpy("int64"))
    compared_already = _encode_ordered_case_file_pairs(records, pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64"))
    stays = stays[~np.isin(_encode_ordered_case_file_pairs(records, stays["a"].to_numpy(), stays["b"].to_numpy()), compared_already)]
    registers = records.files["institution"].isin(contract.institutions_at_stages("registration")).to_numpy()
    arrested = pairs.loc[(pairs["weight"] > 0) & (registers[pairs["a"]] | registers[pairs["b"]]), ["a", "b"]].to_numpy()
    stays = stays[~stays[["a", "b"]].isin(arrested.ravel()).any(axis=1)]
    if stays.empty:
        return pairs, evidence_bits
    weight = model.cases["detained_together"]
    new = stays.assign(**dict.fromkeys(PARTS, 0.0), left=-1, right=-1, best=np.nan, single=False, weight=weight)
    reason = pd.DataFrame({"pair": np.arange(len(new)) + len(pairs), "name": "detained", "bits": weight})
    return pd.concat([pairs, new], ignore_index=True), pd.concat([evidence_bits, reason], ignore_index=True)


def weigh_case_file_pairs(
    records: LinkageRecords, model: LinkageModel, pairs: pd.DataFrame, evidence_shares: EvidenceShares | None
) -> tuple[pd.DataFrame, pd.DataFrame, EvidenceShares]:
    """Weigh `pairs`, the result of `gather_case_file_pairs`. Return them with their `weight`, the evidence of dates and codes, and the
    shares with which that evidence was weighed.

    The weight contains only the evidence of the two files themselves. The evidence of competing files (`another`) is still 0.
    """
    evidence_shares = evidence_shares or estimate_evidence_shares(records, find_certain_case_file_pairs(records, pairs), model)
    bits = EvidenceWeigher(records, evidence_shares, model).weigh_evidence(pairs, pairs["left"].ge(0).to_numpy())
    beside = np.bincount(bits["pair"].to_numpy("int64"), weights=bits["bits"].to_numpy("float64"), minlength=len(pairs))
    pairs = pairs.assign(another=0.0)
    return pairs.assign(weight=pairs[list(PARTS)].sum(axis=1) + beside), bits, evidence_shares


def gather_case_file_pairs(
    records: LinkageRecords,
    person_pairs: ComparedPersonPairs,
    model: LinkageModel,
    previous_round: ResultsOfPreviousRound,
    extra_pairs: pd.DataFrame | None = None,
    connections: CaseFileConnections | None = None,
    only_pairs: pd.DataFrame | None = None,
    person_overlap: PersonOverlap | None = None,
) -> pd.DataFrame:
    """Return the candidate pairs of files with the evidence of persons and references.

    extra_pairs: further pairs of files (`a`, `b`) that are candidates. only_pairs: if it is not None, no candidates are searched, and these
    pairs are returned. person_overlap: the compared persons of these pairs, if they are already compared. Columns of the result:

    - `a`, `b`: the files, in the order of `put_upstream_case_file_first`
    - `left`, `right`: the person of `a` and the person of `b` who match best; -1 if no two persons are similar
    - `best`: the weight in bits of these two persons
    - `single`: whether one file cites the other by a number that no third file has
    - `persons`, `prior`, `citation`, `together`, `apart`: the bits of each kind of evidence
    """
    connections = connections or find_connections_between_case_files(records)
    pairs = (
        find_candidate_case_file_pairs(records, person_pairs, model, previous_round.persons, connections, extra_pairs)
        if only_pairs is None
        else only_pairs
    )
    kinds, names = assign_institution_pair_numbers(records, pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64"))
    expected = compute_once_per_name(names, kinds, lambda kind: find_expected_overlap_of_persons(kind, model).expected)
    coverage = compute_once_per_name(names, kinds, lambda kind: find_expected_overlap_of_persons(kind, model).coverage)
    cited = _does_victim_file_cite_other_file(records, pairs, connections.citations)
    coverage = np.where(cited, np.maximum(coverage, SHARE_OF_CITED_NAMING_VICTIM), coverage)
    coverage = np.where(
        _are_pairs_contained_in(records, pairs, connections.exact_mergers), np.maximum(coverage, SHARE_OF_MERGED_IN_TARGET), coverage
    )
    pairs = _add_evidence_of_persons(
        records, person_overlap or compare_persons_of_case_files(records, person_pairs, pairs), model, pairs, coverage, previous_round
    )
    pairs["persons"] = np.where(cited & _does_only_one_file_name_victims(records, pairs), np.log2(1 - coverage), pairs["persons"])
    alike = pairs["best"] >= model.cases["alike_person"]  # otherwise the days of two persons are no evidence for one case
    pairs[["left", "right"]] = pairs[["left", "right"]].where(alike, -1)
    pairs["prior"] = np.log2(expected) - np.log2(_count_case_files_of_larger_institution(records, pairs))
    return pairs.join(_weigh_references_between_case_files(records, model, pairs, connections))


def find_expected_overlap_of_persons(institution_pair: str, model: LinkageModel) -> ExpectedPersonOverlap:
    """Return how much the case files of two institutions are expected to overlap.

    institution_pair: the names of the two institutions, joined by `-`. If the model has no entry for this pair, the result depends only on
    whether the institutions open a file for each person.
    """
    persons = sum(name in contract.institutions_with_file_per_person() for name in institution_pair.split("-"))
    return model.between.get(institution_pair) or UNKNOWN_PAIR[persons]


def compute_min_weight_of_shared_person(records: LinkageRecords, model: LinkageModel) -> float:
    """Return the match weight that a pair of persons must reach to make their case files a candidate pair."""
    counts = records.files["institution"].value_counts() if records.counts is None else records.counts
    most = max((n for name, n in counts.items() if name != "persons"), default=1)
    return float(model.cases["share_bits"] + max(np.log2(most / FEW_FILES), 0.0))


def put_upstream_case_file_first(records: LinkageRecords, a: np.ndarray, b: np.ndarray) -> pd.DataFrame:
    """Return the distinct pairs of different case files, sorted.

    In each pair, `a` is the file of the institution that comes earlier in the case flow; if both files are of one institution, `a` is the
    file with the earlier day.
    """
    rank: np.ndarray = records.compute_once("upstream", lambda: _rank_case_files_by_stage(records))
    is_reversed = rank[a] > rank[b]
    codes = _encode_ordered_case_file_pairs(records, np.where(is_reversed, b, a), np.where(is_reversed, a, b))
    codes = find_distinct_numbers(codes[a != b])
    return pd.DataFrame({"a": codes // max(len(rank), 1), "b": codes % max(len(rank), 1)})


def _rank_case_files_by_stage(records: LinkageRecords) -> np.ndarray:
    """Rank the files by the position of their institution in the case flow, then by their first day."""
    files, persons = records.files, records.persons
    rank = map_values_to_numbers(files["institution"], contract.case_flow_positions(), len(contract.case_flow_positions()))
    admitted = persons.groupby("file")["admitted"].min().reindex(files.index)
    start = files[["reported", "received"]].min(axis=1).fillna(admitted).astype("datetime64[s]").fillna(pd.Timestamp.max.floor("s"))
    order = np.empty(len(files), dtype="int64")
    order[np.lexsort((np.arange(len(files)), start.to_numpy(), rank))] = np.arange(len(files))
    return order


def _encode_ordered_case_file_pairs(records: LinkageRecords, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return, for each pair of files, a number that stands for it. The pair `b`, `a` has another number than the pair `a`, `b`."""
    return np.asarray(a * max(len(records.files), 1) + b, dtype="int64")


def find_candidate_case_file_pairs(
    records: LinkageRecords,
    person_pairs: ComparedPersonPairs,
    model: LinkageModel,
    person_cluster: np.ndarray | None,
    connections: CaseFileConnections,
    extra_pairs: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the pairs of case files (`a`, `b`) that have a similar person, are connected by a reference, or are in `extra_pairs`."""
    enough = person_pairs.weight >= compute_min_weight_of_shared_person(records, model)
    left, right = person_pairs.left[enough], person_pairs.right[enough]
    if person_cluster is not None:
        mates = RowIndexByOwner(person_cluster, int(person_cluster.max(initial=-1)) + 1)
        clusters = np.flatnonzero((mates.sizes > 1) & (mates.sizes <= MAX_RECORDS_OF_PERSON))
        _, first, second = mates.combine_rows(clusters, clusters)
        left, right = np.concatenate([left, first[first < second]]), np.concatenate([right, second[first < second]])
    file = records.persons["file"].to_numpy()
    sources = [
        connections.citations,
        connections.exact_mergers,
        connections.shared_citations,
        *([] if extra_pairs is None else [extra_pairs]),
    ]
    a = np.concatenate([file[left], *[s["a"].to_numpy() for s in sources]]).astype("int64")
    b = np.concatenate([file[right], *[s["b"].to_numpy() for s in sources]]).astype("int64")
    placed = (a >= 0) & (b >= 0)
    if connections.component is not None:
        placed &= connections.component[a] == connections.component[b]
    return put_upstream_case_file_first(records, a[placed], b[placed])


def _count_case_files_of_larger_institution(records: LinkageRecords, pairs: pd.DataFrame) -> np.ndarray:
    """Return, for each pair of files, the number of files of its two institutions, whichever is larger, and at least `MIN_FILES`."""
    code, names = assign_institution_numbers(records)
    counts = records.files["institution"].value_counts() if records.counts is None else records.counts
    count = compute_once_per_name(names, code, lambda name: float(counts[name]))
    return np.maximum(np.maximum(count[pairs["a"]], count[pairs["b"]]), MIN_FILES)


def _add_evidence_of_persons(
    records: LinkageRecords,
    person_overlap: PersonOverlap,
    model: LinkageModel,
    pairs: pd.DataFrame,
    expected_share: np.ndarray,
    previous_round: ResultsOfPreviousRound,
) -> pd.DataFrame:
    """Return `pairs` of files with the evidence of their persons in further columns.

    `persons` has the bits of all persons together. `left` and `right` are the person of file `a` and the person of file `b` who match best,
    and `best` has the bits of this match. expected_share: for each pair, the share of the persons of one file who are expected to be in the
    other file, if the two are one case.
    """
    pair, left, right, weight = person_overlap.pair, person_overlap.left, person_overlap.right, person_overlap.weight
    if previous_round.persons is not None:
        same_cluster = previous_round.persons[left] == previous_round.persons[right]
        weight = np.where(same_cluster, np.maximum(weight, model.cases["known_person"]), np.minimum(weight, model.cases["other_person"]))
    weight = np.clip(weight, -MAX_PERSON_BITS, MAX_PERSON_BITS)
    likelier = np.exp2(weight)
    wrong = np.clip(previous_round.again / _count_case_files_of_larger_institution(records, pairs), 0.0, 0.5)
    bits_by_side = np.full((2, len(pairs)), -np.inf)
    for side, (of_pair, place) in enumerate(person_overlap.sides):
        many = np.bincount(person_overlap.sides[1 - side][0], minlength=len(pairs))
        mean = np.bincount(place, weights=likelier) / many[of_pair]
        bits_by_side[side] = _weigh_persons_contained_in_other_file(of_pair, mean, expected_share, wrong, model)
    contained = bits_by_side.max(axis=0)
    first = find_row_of_largest_value_per_group(pair, weight)
    best = np.full((2, len(pairs)), -1)
    best[:, pair[first]] = left[first], right[first]
    bits = np.full(len(pairs), np.nan)
    bits[pair[first]] = weight[first]
    return pairs.assign(left=best[0], right=best[1], best=bits, persons=np.where(np.isfinite(contained), contained, 0.0))


def _weigh_persons_contained_in_other_file(
    pair_of_person: np.ndarray, likelihood_ratio: np.ndarray, expected_share: np.ndarray, share_by_chance: np.ndarray, model: LinkageModel
) -> np.ndarray:
    """Return, for each pair of files, the bits by which the persons of one file seem to be in the other file.

    The person who shows this most clearly counts completely, and the other persons count less.
    """
    share, chance = expected_share[pair_of_person], share_by_chance[pair_of_person]
    hit = np.log2(1 - share + share * likelihood_ratio)
    alone = hit - np.log2(1 - chance + chance * likelihood_ratio)
    beside = model.cases["companions"]
    companion = hit - np.log2(1 - beside + beside * likelihood_ratio)
    clearest, most = find_row_of_largest_value_per_group(pair_of_person, alone), model.cases["companion_bits"]
    rest = np.bincount(pair_of_person, weights=companion, minlength=len(expected_share))[pair_of_person[clearest]] - companion[clearest]
    out = np.full(len(expected_share), -np.inf)
    out[pair_of_person[clearest]] = alone[clearest] + np.clip(rest, -most, most)
    return out


def _are_case_files_about_one_victim(records: LinkageRecords) -> np.ndarray:
    """Return whether each case file is about a single victim, because its institution opens a separate file for each victim."""
    code, names = assign_institution_numbers(records)
    return np.array(
        [name in contract.institutions_with_file_per_person() and name in contract.institutions_recording_role("victim") for name in names],
        dtype=bool,
    )[code]


def _does_victim_file_cite_other_file(records: LinkageRecords, pairs: pd.DataFrame, citations: pd.DataFrame) -> np.ndarray:
    """Return for each pair whether one file is about a single victim and cites the other, and the other is of an institution that names
    victims.
    """
    code, names = assign_institution_numbers(records)
    naming = np.array([name in contract.institutions_recording_role("victim") for name in names], dtype=bool)[code]
    citing, cited = citations["a"].to_numpy("int64"), citations["b"].to_numpy("int64")
    return _are_pairs_contained_in(records, pairs, citations[_are_case_files_about_one_victim(records)[citing] & naming[cited]])


def _are_pairs_contained_in(records: LinkageRecords, pairs: pd.DataFrame, other_pairs: pd.DataFrame) -> np.ndarray:
    """Return for each of `pairs` whether it is also in `other_pairs`. The order of the two files of a pair does not matter."""
    codes = find_distinct_numbers(
        _encode_ordered_case_file_pairs(records, other_pairs["a"].to_numpy("int64"), other_pairs["b"].to_numpy("int64"))
    )
    a, b = pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64")
    return (
        find_positions(_encode_ordered_case_file_pairs(records, a, b), codes)[1]
        | find_positions(_encode_ordered_case_file_pairs(records, b, a), codes)[1]
    )


def _does_only_one_file_name_victims(records: LinkageRecords, pairs: pd.DataFrame) -> np.ndarray:
    """Return for each pair whether one file names victims, and the other names persons but no victim."""
    every, victims = records.compute_once("named_in_files", lambda: _count_persons_and_victims_of_case_files(records))
    a, b = pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64")
    return np.asarray((every[a] > 0) & (every[b] > 0) & ((victims[a] > 0) != (victims[b] > 0)))


def _count_persons_and_victims_of_case_files(records: LinkageRecords) -> tuple[np.ndarray, np.ndarray]:
    """Count the persons and the victims of each file."""
    file, size = records.persons["file"].to_numpy("int64"), len(records.files)
    placed, victim = file >= 0, records.persons["side"].eq("victim").to_numpy(dtype=bool)
    return np.bincount(file[placed], minlength=size), np.bincount(file[placed & victim], minlength=size)


def _weigh_references_between_case_files(
    records: LinkageRecords, model: LinkageModel, pairs: pd.DataFrame, connections: CaseFileConnections
) -> pd.DataFrame:
    """Return the evidence of references for each pair of files. Columns:

    - `citation`: the bits if one file cites the other or was merged into it; if both cite each other, the bits add up
    - `together`: the bits if both files cite the same number
    - `apart`: the bits against the pair if both files cite numbers of the same kind but different ones, or if a file lacks a citation that
      it would have if the two were one case
    - `single`: whether one file cites the other by a number that no third file has
    """
    setting, files = model.cases, np.log2(_count_case_files_of_larger_institution(records, pairs))
    a, b = pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64")
    directions = _encode_ordered_case_file_pairs(records, a, b), _encode_ordered_case_file_pairs(records, b, a)
    right, wrong = setting["reference_right"], setting["reference_wrong"]
    citation = np.zeros(len(pairs))
    single = np.zeros(len(pairs), dtype=bool)
    for frame, surer in ((connections.exact_citations, 0.0), (connections.exact_mergers, MERGED_BITS)):
        table = CodeLookup(
            _encode_ordered_case_file_pairs(records, frame["a"].to_numpy("int64"), frame["b"].to_numpy("int64")),
            frame["bearers"].to_numpy(),
        )
        for direction in directions:
            bearers = table.look_up_values(direction)
            named = np.isfinite(bearers)
            citation[named] += files[named] + np.log2(right / (wrong + bearers[named] - 1)) + surer
            single |= bearers == 1
    citation += np.where(were_case_files_separated(records, pairs), SEPARATED_BITS, 0.0)
    use = _are_pairs_contained_in(records, pairs, connections.citations[connections.citations["near"]]) & (citation == 0)
    citation[use] += files[use] + setting["near_reference"]
    use = (
        _are_pairs_contained_in(records, pairs, connections.mergers[connections.mergers["near"]])
        & pairs["left"].ge(0).to_numpy()
        & (citation == 0)
    )
    citation[use] += files[use] + setting["near_reference"] + MERGED_BITS
    both = _are_pairs_contained_in(records, pairs, connections.shared_citations)
    shared = np.where(both, files + setting["cited_together"], 0.0)
    # Between files that cite each other, even nearly, other citations or missing ones do not count against the pair.
    apart = references.do_case_files_cite_different_numbers(records, pairs) | (
        _do_prosecution_files_mention_no_second_file(records, pairs) & ~both
    )
    apart |= _does_victim_file_cite_no_case(records, pairs)
    apart = np.where(apart & (citation == 0), setting["cited_apart"], 0.0)
    return pd.DataFrame({"citation": citation, "together": shared, "apart": apart, "single": single}, index=pairs.index)


def _do_prosecution_files_mention_no_second_file(records: LinkageRecords, pairs: pd.DataFrame) -> np.ndarray:
    """Return for each pair whether both files are of the prosecution, and neither mentions that its case has a second file there.

    The prosecution has two files of one case only if a person was separated from it or if cases were merged, and its files record both.
    """
    silent = records.files["institution"].isin(contract.institutions_at_stages("prosecution")).to_numpy().copy()
    silent[records.merges["file"].to_numpy("int64")] = False
    separated_ = np.append(records.persons["separated"].notna().to_numpy(), False)
    a, b, left, right = (pairs[name].to_numpy("int64") for name in ("a", "b", "left", "right"))
    return silent[a] & silent[b] & ~separated_[left] & ~separated_[right]


def _does_victim_file_cite_no_case(records: LinkageRecords, pairs: pd.DataFrame) -> np.ndarray:
    """Return for each pair whether one file is of an institution that opens cases, and the other is about a single victim and cites no
    case.

    A victim's file belongs to the case that it cites. If it cites none, it is mostly about a matter that the institutions that open cases
    do not know.
    """
    code, names = assign_institution_numbers(records)
    opens = np.array([name in contract.institutions_at_stages("registration", "prosecution") for name in names], dtype=bool)[code]
    kinds = [
        kind
        for kind, name in contract.institution_by_case_number_kind().items()
        if name not in contract.institutions_with_file_per_person()
    ]
    without_citation = _are_case_files_about_one_victim(records)
    without_citation[records.references.loc[records.references["kind"].isin(kinds), "file"].to_numpy("int64")] = False
    a, b = pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64")
    return np.asarray((opens[a] & without_citation[b]) | (opens[b] & without_citation[a]), dtype=bool)


def weigh_references_to_competing_case_files(
    records: LinkageRecords, model: LinkageModel, pairs: pd.DataFrame, connections: CaseFileConnections, weighed_pairs: pd.DataFrame
) -> np.ndarray:
    """Return the bits by which competing files count against each of `pairs`.

    Let the pair be the files X and Y. A competing file is a third file Z of the institution of Y such that X cites Z, is cited by Z, or was
    merged into Z. It makes it less likely that X and Y are one case. Its bits are multiplied by the probability that Z is in the case of X
    and not in the case of Y. If X cites both Y and Z, the more probable citation is taken as right, and the other citation does not count.
    The same holds for mergers, since a number with one wrong character may name the right file.

    weighed_pairs: pairs of files with the columns a, b and weight, which is their weight by all other evidence. They include `pairs`, which
    have the further column `citation`.
    """
    exact, size = connections.exact_citations, len(records.files)
    citing, cited = exact["a"].to_numpy("int64"), exact["b"].to_numpy("int64")
    merged, target = connections.mergers["a"].to_numpy("int64"), connections.mergers["b"].to_numpy("int64")
    one, other, weight = (
        weighed_pairs["a"].to_numpy("int64"),
        weighed_pairs["b"].to_numpy("int64"),
        weighed_pairs["weight"].to_numpy("float64"),
    )
    bits_by_pair = CodeLookup(
        np.concatenate([_encode_ordered_case_file_pairs(records, one, other), _encode_ordered_case_file_pairs(records, other, one)]),
        np.concatenate([weight, weight]),
    )
    a, b, citation = pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64"), pairs["citation"].to_numpy("float64")
    bits_of_pair = np.maximum(bits_by_pair.look_up_values(_encode_ordered_case_file_pairs(records, a, b), UNTIED_BITS), 0.0)
    out = np.zeros(len(pairs))
    for name, one, other in (("another_cited", citing, cited), ("cited_by_another", cited, citing), ("another_cited", merged, target)):
        tied_to = RowIndexByOwner(one, size)
        for first, second in ((a, b), (b, a)):
            pair, third, both = _find_competing_case_files(records, first, second, tied_to, other)
            if name == "cited_by_another":  # many may cite one file
                pair, third, both = pair[~both], third[~both], both[~both]
            tied = bits_by_pair.look_up_values(_encode_ordered_case_file_pairs(records, first[pair], third), UNTIED_BITS) - np.where(
                both, bits_of_pair[pair], 0.0
            )
            between = bits_by_pair.look_up_values(_encode_ordered_case_file_pairs(records, second[pair], third), UNTIED_BITS)
            most = model.cases[name] - np.where(both, citation[pair], 0.0)
            np.minimum.at(out, pair, most * _convert_bits_to_probability(tied) * (1 - _convert_bits_to_probability(between)))
    return out


def _find_competing_case_files(
    records: LinkageRecords,
    first_file: np.ndarray,
    second_file: np.ndarray,
    connections_by_file: RowIndexByOwner,
    connected_file: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the competing files of each pair: files that are connected to `first_file` and are of the same institution as `second_file`.

    Return for each competing file the row of its pair, the competing file, and whether `first_file` is also connected to `second_file`.
    """
    institution, _ = assign_institution_numbers(records)
    pair, tie = connections_by_file.find_rows_of_owners(first_file)
    third = connected_file[tie]
    also_tied = np.zeros(len(first_file), dtype=bool)
    also_tied[pair[third == second_file[pair]]] = True
    _, names = assign_institution_numbers(records)
    several = np.array(
        [name in contract.institutions_with_file_per_person() for name in names], dtype=bool
    )  # other files of the case there are no rivals
    others = (institution[third] == institution[second_file[pair]]) & (third != second_file[pair]) & ~several[institution[third]]
    return pair[others], third[others], also_tied[pair[others]]


def _convert_bits_to_probability(bits: np.ndarray) -> np.ndarray:
    """Return the probability that corresponds to odds that are given in bits (0 bits are a probability of one half)."""
    return np.asarray(1.0 / (1.0 + np.exp2(-np.clip(bits, -50, 50))))


def _form_clusters_of_case_files(
    records: LinkageRecords, model: LinkageModel, pairs: pd.DataFrame, constraints: ClusterConstraints
) -> np.ndarray:
    """Form clusters of case files from their weighted pairs and the decisions of stewards. Return the cluster of each file."""
    setting = model.cases
    rules = cluster.JoiningRules(setting["best_share"], setting["spine"], setting["occupied"], setting["spine"])
    a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
    spine = [
        name for name in contract.institution_by_case_number_kind().values() if name not in contract.institutions_with_file_per_person()
    ]
    kind = map_values_to_numbers(records.files["institution"], {name: n for n, name in enumerate(spine)}, -1)
    strong = ((kind[a] >= 0) & (kind[b] >= 0)) | (pairs["citation"] + pairs["together"] > 0).to_numpy()
    weighted_pairs = replace(cluster.build_weighted_pairs(a, b, pairs["weight"].to_numpy("float64")), strong=strong)
    return cluster.form_clusters_by_agglomeration(len(records.files), weighted_pairs, rules, kind, constraints)
