"""Linkage of case files to cases, by evidence of references, persons, dates, seats, offences and sentences.

Belongs here: candidate pairs of files, their weight in bits, the clusters. Does not belong here: comparison of persons (`score`), resolving
case numbers (`references`), the shares of dates and codes (`evidence`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.linkage import cluster, references
from pipelines.linkage.certain_pairs import find_certain_pairs, were_files_separated
from pipelines.linkage.constraints import Constraints
from pipelines.linkage.evidence import (
    EvidenceShares,
    EvidenceWeigher,
    assign_institution_numbers,
    assign_pair_kind_numbers,
    estimate_evidence_shares,
)
from pipelines.linkage.model import ExpectedOverlap, Model
from pipelines.linkage.person_overlap import PersonOverlap, compare_persons_of_files
from pipelines.linkage.person_pairs import PersonPairs
from pipelines.linkage.record_states import map_values_to_numbers
from pipelines.linkage.standardise import Records
from pipelines.resources.integer_arrays import (
    CodeLookup,
    RowIndexByOwner,
    compute_per_name,
    find_distinct_numbers,
    find_first_largest_rows,
    find_positions,
)
from sources import contract

PARTS = ("prior", "persons", "citation", "together", "apart", "another")
# An institution counts as having at least so many files in the odds of a pair.
MIN_FILES = 50
MAX_PERSON_BITS = 24.0
# Up to so many files of an institution, a pair of persons that weighs `share_bits` makes their files candidates; twice as many files need
# one bit more, as for a pair of files.
FEW_FILES = 2_000
# Persons of more records than this give no candidate pairs of files.
MAX_RECORDS_OF_PERSON = 60
# What is expected of a pair of institutions that the model does not know, by how many of them open a file for each person of a case.
UNKNOWN_PAIR = (ExpectedOverlap(0.05, 0.5), ExpectedOverlap(0.8, 0.9), ExpectedOverlap(0.5, 0.5))
# Share of the files cited by the file of a victim that name this victim: it cites the files of others in which the victim is a person.
SHARE_OF_CITED_NAMING_VICTIM = 0.98
# Share of the persons of a file who are also in the file into which it was merged: the parties go over with it.
SHARE_OF_MERGED_IN_TARGET = 0.98
# Bits of a pair of files that is not a candidate.
UNTIED_BITS = -20.0
# Bits of a merger into a file beyond those of a citation: few files are merged, so a merger is stronger evidence.
MERGED_BITS = 6.0
# Bits of a party separated on the day on which another file of the same institution with that party was received.
SEPARATED_BITS = 5.0


@dataclass(frozen=True)
class PriorRound:
    """The results of the previous round.

    persons: the cluster of each person record, None in the first round. again: the share of persons who are in several cases.
    """

    persons: np.ndarray | None
    again: float


@dataclass(frozen=True)
class DecidedCases:
    """The decided cases.

    - `cluster`: the cluster of each file
    - `pairs`: one row for each candidate pair: a, b, the bits of `PARTS`, weight
    - `bits`: further evidence by pair (`Weigher.bits`)
    - `shares`: the shares with which this evidence was weighed
    """

    cluster: np.ndarray
    pairs: pd.DataFrame
    bits: pd.DataFrame
    shares: EvidenceShares


@dataclass(frozen=True)
class FileTies:
    """Pairs of files that are tied.

    cites: citations (`references.find_citations`). joins: mergers (`references.find_mergers`). together: citations of the same number
    (`references.find_files_citing_together`). detained: stays that begin together (`references.find_stays_begun_together`). component: the
    component of each file, if only pairs within a component count.
    """

    cites: pd.DataFrame
    joins: pd.DataFrame
    together: pd.DataFrame
    detained: pd.DataFrame
    component: np.ndarray | None = None

    @property
    def exact_citations(self) -> pd.DataFrame:
        """Return the citations whose number the other file bears exactly."""
        return self.cites[~self.cites["near"]]

    @property
    def exact_mergers(self) -> pd.DataFrame:
        """Return the mergers whose number the other file bears exactly. A near one counts only between files with a similar person."""
        return self.joins[~self.joins["near"]]


def find_ties_between_files(records: Records) -> FileTies:
    """Find all ties between the case files of `records`."""
    citations_and_mergers = (
        references.find_citations(records),
        references.find_mergers(records),
        references.find_files_citing_together(records),
    )
    return FileTies(*citations_and_mergers, references.find_stays_begun_together(records))


def link_cases(
    records: Records,
    people: PersonPairs,
    model: Model,
    before: PriorRound,
    constraints: Constraints,
    ties: FileTies | None = None,
    shares: EvidenceShares | None = None,
) -> DecidedCases:
    """Decide which case files of `records` are of one case.

    before: results of the previous round. constraints: decisions of stewards. shares: shares of evidence, by default estimated from the
    records.
    """
    ties = ties or find_ties_between_files(records)
    pairs = gather_file_pairs(records, people, model, before, constraints.constrained_pairs, ties)
    if pairs.empty:
        bits, shares = pd.DataFrame({"pair": [], "name": [], "bits": []}), shares or EvidenceShares({}, {})
        pairs = pairs.assign(weight=0.0, another=0.0)
    else:
        pairs, bits, shares = weigh_pairs_of_files(records, model, pairs, shares)
        pairs["another"] = weigh_against_citing_third_files(records, model, pairs, ties, pairs)
        pairs["weight"] += pairs["another"]
    pairs, bits = _add_pairs_detained_together(records, model, pairs, bits, ties.detained)
    return DecidedCases(_form_clusters_of_files(records, model, pairs, constraints), pairs, bits, shares)


def _add_pairs_detained_together(
    records: Records, model: Model, pairs: pd.DataFrame, bits: pd.DataFrame, detained: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return `pairs` and their evidence `bits`, extended by the pairs of stays that began together and have no other tie.

    A stay is left out if it probably belongs to the case of a file of an institution that registers cases. Such a file names everybody who
    was arrested, so any other stay of that case is tied through its person.
    """
    stays = order_files_in_pairs(records, detained["a"].to_numpy("int64"), detained["b"].to_numpy("int64"))
    compared_already = _encode_ordered_pairs(records, pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64"))
    stays = stays[~np.isin(_encode_ordered_pairs(records, stays["a"].to_numpy(), stays["b"].to_numpy()), compared_already)]
    registers = records.files["institution"].isin(contract.institutions_at_stages("registration")).to_numpy()
    arrested = pairs.loc[(pairs["weight"] > 0) & (registers[pairs["a"]] | registers[pairs["b"]]), ["a", "b"]].to_numpy()
    stays = stays[~stays[["a", "b"]].isin(arrested.ravel()).any(axis=1)]
    if stays.empty:
        return pairs, bits
    weight = model.cases["detained_together"]
    new = stays.assign(**dict.fromkeys(PARTS, 0.0), left=-1, right=-1, best=np.nan, single=False, weight=weight)
    reason = pd.DataFrame({"pair": np.arange(len(new)) + len(pairs), "name": "detained", "bits": weight})
    return pd.concat([pairs, new], ignore_index=True), pd.concat([bits, reason], ignore_index=True)


def weigh_pairs_of_files(
    records: Records, model: Model, pairs: pd.DataFrame, shares: EvidenceShares | None
) -> tuple[pd.DataFrame, pd.DataFrame, EvidenceShares]:
    """Return `pairs` of `gather_file_pairs` with their `weight`, their further evidence, and the shares of that evidence.

    The weight is by the evidence of the two files alone: `another`, the evidence of third files, is still 0.
    """
    shares = shares or estimate_evidence_shares(records, find_certain_pairs(records, pairs), model)
    bits = EvidenceWeigher(records, shares, model).weigh_evidence(pairs, pairs["left"].ge(0).to_numpy())
    beside = np.bincount(bits["pair"].to_numpy("int64"), weights=bits["bits"].to_numpy("float64"), minlength=len(pairs))
    pairs = pairs.assign(another=0.0)
    return pairs.assign(weight=pairs[list(PARTS)].sum(axis=1) + beside), bits, shares


def gather_file_pairs(
    records: Records,
    people: PersonPairs,
    model: Model,
    before: PriorRound,
    extra: pd.DataFrame | None = None,
    ties: FileTies | None = None,
    chosen: pd.DataFrame | None = None,
    overlaps: PersonOverlap | None = None,
) -> pd.DataFrame:
    """Return the candidate pairs of files with the evidence of persons and references.

    extra: further pairs `a, b` to include. chosen: if it is not None, only these pairs are returned. overlaps: the persons of these pairs,
    if they are already compared. Columns of the pairs: a, b (in the order of `order_files_in_pairs`); left, right (the best matching
    persons, -1 if no persons are similar); best (the bits of that match); single (whether a number that only one file bears is cited);
    and the bits persons, prior, citation, together, apart.
    """
    ties = ties or find_ties_between_files(records)
    pairs = find_candidate_files(records, people, model, before.persons, ties, extra) if chosen is None else chosen
    kinds, names = assign_pair_kind_numbers(records, pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64"))
    expected = compute_per_name(names, kinds, lambda kind: find_expected_overlap(kind, model).expected)
    coverage = compute_per_name(names, kinds, lambda kind: find_expected_overlap(kind, model).coverage)
    cited = _does_victim_file_cite_other_file(records, pairs, ties.cites)
    coverage = np.where(cited, np.maximum(coverage, SHARE_OF_CITED_NAMING_VICTIM), coverage)
    coverage = np.where(
        _are_among_tied_pairs(records, pairs, ties.exact_mergers), np.maximum(coverage, SHARE_OF_MERGED_IN_TARGET), coverage
    )
    pairs = _add_evidence_of_persons(records, overlaps or compare_persons_of_files(records, people, pairs), model, pairs, coverage, before)
    pairs["persons"] = np.where(cited & _does_only_one_file_name_victims(records, pairs), np.log2(1 - coverage), pairs["persons"])
    alike = pairs["best"] >= model.cases["alike_person"]  # otherwise the days of two persons are no evidence for one case
    pairs[["left", "right"]] = pairs[["left", "right"]].where(alike, -1)
    pairs["prior"] = np.log2(expected) - np.log2(_count_files_of_larger_institution(records, pairs))
    return pairs.join(_weigh_references(records, model, pairs, ties))


def find_expected_overlap(kind: str, model: Model) -> ExpectedOverlap:
    """Return the expected overlap of a pair of institutions (`assign_pair_kind_numbers`).

    If the model has no entry for it, it depends only on whether the institutions open a file for each person.
    """
    persons = sum(name in contract.institutions_with_file_per_person() for name in kind.split("-"))
    return model.between.get(kind) or UNKNOWN_PAIR[persons]


def compute_min_bits_of_shared_person(records: Records, model: Model) -> float:
    """Return the match weight from which a pair of persons makes their files candidates."""
    counts = records.files["institution"].value_counts() if records.counts is None else records.counts
    most = max((n for name, n in counts.items() if name != "persons"), default=1)
    return float(model.cases["share_bits"] + max(np.log2(most / FEW_FILES), 0.0))


def order_files_in_pairs(records: Records, a: np.ndarray, b: np.ndarray) -> pd.DataFrame:
    """Return the distinct pairs of different files, sorted.

    `a` is the file of the upstream institution, or the earlier one of two files of one institution.
    """
    rank: np.ndarray = records.compute_once("upstream", lambda: _rank_files_by_stage(records))
    is_reversed = rank[a] > rank[b]
    codes = _encode_ordered_pairs(records, np.where(is_reversed, b, a), np.where(is_reversed, a, b))
    codes = find_distinct_numbers(codes[a != b])
    return pd.DataFrame({"a": codes // max(len(rank), 1), "b": codes % max(len(rank), 1)})


def _rank_files_by_stage(records: Records) -> np.ndarray:
    """Rank the files by the stage of their institution, then by day. In a pair the file with the lower rank comes first."""
    files, persons = records.files, records.persons
    rank = map_values_to_numbers(files["institution"], contract.case_flow_positions(), len(contract.case_flow_positions()))
    admitted = persons.groupby("file")["admitted"].min().reindex(files.index)
    start = files[["reported", "received"]].min(axis=1).fillna(admitted).astype("datetime64[s]").fillna(pd.Timestamp.max.floor("s"))
    order = np.empty(len(files), dtype="int64")
    order[np.lexsort((np.arange(len(files)), start.to_numpy(), rank))] = np.arange(len(files))
    return order


def _encode_ordered_pairs(records: Records, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return one number for each ordered pair of files `a`, `b`."""
    return np.asarray(a * max(len(records.files), 1) + b, dtype="int64")


def find_candidate_files(
    records: Records,
    people: PersonPairs,
    model: Model,
    person_cluster: np.ndarray | None,
    ties: FileTies,
    extra: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the pairs of files (`a, b`) that share a person, are tied by a reference, or are in `extra`."""
    enough = people.weight >= compute_min_bits_of_shared_person(records, model)
    left, right = people.left[enough], people.right[enough]
    if person_cluster is not None:
        mates = RowIndexByOwner(person_cluster, int(person_cluster.max(initial=-1)) + 1)
        clusters = np.flatnonzero((mates.sizes > 1) & (mates.sizes <= MAX_RECORDS_OF_PERSON))
        _, first, second = mates.combine_rows(clusters, clusters)
        left, right = np.concatenate([left, first[first < second]]), np.concatenate([right, second[first < second]])
    file = records.persons["file"].to_numpy()
    sources = [ties.cites, ties.exact_mergers, ties.together, *([] if extra is None else [extra])]
    a = np.concatenate([file[left], *[s["a"].to_numpy() for s in sources]]).astype("int64")
    b = np.concatenate([file[right], *[s["b"].to_numpy() for s in sources]]).astype("int64")
    placed = (a >= 0) & (b >= 0)
    if ties.component is not None:
        placed &= ties.component[a] == ties.component[b]
    return order_files_in_pairs(records, a[placed], b[placed])


def _count_files_of_larger_institution(records: Records, pairs: pd.DataFrame) -> np.ndarray:
    """Return, for each pair, the number of files of one of its institutions: that with more files."""
    code, names = assign_institution_numbers(records)
    counts = records.files["institution"].value_counts() if records.counts is None else records.counts
    count = compute_per_name(names, code, lambda name: float(counts[name]))
    return np.maximum(np.maximum(count[pairs["a"]], count[pairs["b"]]), MIN_FILES)


def _add_evidence_of_persons(
    records: Records, overlaps: PersonOverlap, model: Model, pairs: pd.DataFrame, coverage: np.ndarray, before: PriorRound
) -> pd.DataFrame:
    """Return `pairs` with `persons`, the bits of the persons of both files, and the best matching pair of persons (`left` of `a`, `right`
    of `b`, `best`).

    coverage: expected share of the persons of one file who are in the other.
    """
    pair, left, right, weight = overlaps.pair, overlaps.left, overlaps.right, overlaps.weight
    if before.persons is not None:
        same_cluster = before.persons[left] == before.persons[right]
        weight = np.where(same_cluster, np.maximum(weight, model.cases["known_person"]), np.minimum(weight, model.cases["other_person"]))
    weight = np.clip(weight, -MAX_PERSON_BITS, MAX_PERSON_BITS)
    likelier = np.exp2(weight)
    wrong = np.clip(before.again / _count_files_of_larger_institution(records, pairs), 0.0, 0.5)
    bits_by_side = np.full((2, len(pairs)), -np.inf)
    for side, (of_pair, place) in enumerate(overlaps.sides):
        many = np.bincount(overlaps.sides[1 - side][0], minlength=len(pairs))
        mean = np.bincount(place, weights=likelier) / many[of_pair]
        bits_by_side[side] = _weigh_containment_of_persons(of_pair, mean, coverage, wrong, model)
    contained = bits_by_side.max(axis=0)
    first = find_first_largest_rows(pair, weight)
    best = np.full((2, len(pairs)), -1)
    best[:, pair[first]] = left[first], right[first]
    bits = np.full(len(pairs), np.nan)
    bits[pair[first]] = weight[first]
    return pairs.assign(left=best[0], right=best[1], best=bits, persons=np.where(np.isfinite(contained), contained, 0.0))


def _weigh_containment_of_persons(
    pair: np.ndarray, likelier: np.ndarray, coverage: np.ndarray, wrong: np.ndarray, model: Model
) -> np.ndarray:
    """Return the bits of each pair that the persons of one file are in the other.

    The clearest person counts completely, its companions less.
    """
    share, chance = coverage[pair], wrong[pair]
    hit = np.log2(1 - share + share * likelier)
    alone = hit - np.log2(1 - chance + chance * likelier)
    beside = model.cases["companions"]
    companion = hit - np.log2(1 - beside + beside * likelier)
    clearest, most = find_first_largest_rows(pair, alone), model.cases["companion_bits"]
    rest = np.bincount(pair, weights=companion, minlength=len(coverage))[pair[clearest]] - companion[clearest]
    out = np.full(len(coverage), -np.inf)
    out[pair[clearest]] = alone[clearest] + np.clip(rest, -most, most)
    return out


def _are_files_about_one_victim(records: Records) -> np.ndarray:
    """Return whether each file is about one victim."""
    code, names = assign_institution_numbers(records)
    return np.array(
        [name in contract.institutions_with_file_per_person() and name in contract.institutions_recording_role("victim") for name in names],
        dtype=bool,
    )[code]


def _does_victim_file_cite_other_file(records: Records, pairs: pd.DataFrame, cites: pd.DataFrame) -> np.ndarray:
    """Return whether one file of each pair is about one victim and cites the other, whose institution names victims."""
    code, names = assign_institution_numbers(records)
    naming = np.array([name in contract.institutions_recording_role("victim") for name in names], dtype=bool)[code]
    citing, cited = cites["a"].to_numpy("int64"), cites["b"].to_numpy("int64")
    return _are_among_tied_pairs(records, pairs, cites[_are_files_about_one_victim(records)[citing] & naming[cited]])


def _are_among_tied_pairs(records: Records, pairs: pd.DataFrame, tied: pd.DataFrame) -> np.ndarray:
    """Return whether each pair is among the `tied` ones (`a, b`), in either direction."""
    codes = find_distinct_numbers(_encode_ordered_pairs(records, tied["a"].to_numpy("int64"), tied["b"].to_numpy("int64")))
    a, b = pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64")
    return find_positions(_encode_ordered_pairs(records, a, b), codes)[1] | find_positions(_encode_ordered_pairs(records, b, a), codes)[1]


def _does_only_one_file_name_victims(records: Records, pairs: pd.DataFrame) -> np.ndarray:
    """Return whether one file of each pair names victims and the other names persons, but no victim."""
    every, victims = records.compute_once("named_in_files", lambda: _count_persons_and_victims(records))
    a, b = pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64")
    return np.asarray((every[a] > 0) & (every[b] > 0) & ((victims[a] > 0) != (victims[b] > 0)))


def _count_persons_and_victims(records: Records) -> tuple[np.ndarray, np.ndarray]:
    """Count the persons and the victims of each file."""
    file, size = records.persons["file"].to_numpy("int64"), len(records.files)
    placed, victim = file >= 0, records.persons["side"].eq("victim").to_numpy(dtype=bool)
    return np.bincount(file[placed], minlength=size), np.bincount(file[placed & victim], minlength=size)


def _weigh_references(records: Records, model: Model, pairs: pd.DataFrame, ties: FileTies) -> pd.DataFrame:
    """Return the evidence of references for each pair of files, in bits.

    - `citation`: either file cites the other; both citations add up
    - `together`: both files cite the same number
    - `apart`: both files cite numbers of one kind, but different ones; or a file does not cite what it would cite in one case
    - `single`: whether a number with a single bearer is cited
    """
    setting, files = model.cases, np.log2(_count_files_of_larger_institution(records, pairs))
    a, b = pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64")
    directions = _encode_ordered_pairs(records, a, b), _encode_ordered_pairs(records, b, a)
    right, wrong = setting["reference_right"], setting["reference_wrong"]
    citation = np.zeros(len(pairs))
    single = np.zeros(len(pairs), dtype=bool)
    for frame, surer in ((ties.exact_citations, 0.0), (ties.exact_mergers, MERGED_BITS)):
        table = CodeLookup(
            _encode_ordered_pairs(records, frame["a"].to_numpy("int64"), frame["b"].to_numpy("int64")), frame["bearers"].to_numpy()
        )
        for direction in directions:
            bearers = table.look_up_values(direction)
            named = np.isfinite(bearers)
            citation[named] += files[named] + np.log2(right / (wrong + bearers[named] - 1)) + surer
            single |= bearers == 1
    citation += np.where(were_files_separated(records, pairs), SEPARATED_BITS, 0.0)
    use = _are_among_tied_pairs(records, pairs, ties.cites[ties.cites["near"]]) & (citation == 0)
    citation[use] += files[use] + setting["near_reference"]
    use = _are_among_tied_pairs(records, pairs, ties.joins[ties.joins["near"]]) & pairs["left"].ge(0).to_numpy() & (citation == 0)
    citation[use] += files[use] + setting["near_reference"] + MERGED_BITS
    both = _are_among_tied_pairs(records, pairs, ties.together)
    shared = np.where(both, files + setting["cited_together"], 0.0)
    # Between files that cite each other, even nearly, other citations or missing ones do not count against the pair.
    apart = references.do_files_cite_different_numbers(records, pairs) | (
        _do_prosecution_files_mention_no_second_file(records, pairs) & ~both
    )
    apart |= _does_victim_file_cite_no_case(records, pairs)
    apart = np.where(apart & (citation == 0), setting["cited_apart"], 0.0)
    return pd.DataFrame({"citation": citation, "together": shared, "apart": apart, "single": single}, index=pairs.index)


def _do_prosecution_files_mention_no_second_file(records: Records, pairs: pd.DataFrame) -> np.ndarray:
    """Return for each pair whether both files are of a prosecution and mention no second file.

    A prosecution has two files of one case only if a party is separated or cases are joined, and its files record both.
    """
    silent = records.files["institution"].isin(contract.institutions_at_stages("prosecution")).to_numpy().copy()
    silent[records.merges["file"].to_numpy("int64")] = False
    separated_ = np.append(records.persons["separated"].notna().to_numpy(), False)
    a, b, left, right = (pairs[name].to_numpy("int64") for name in ("a", "b", "left", "right"))
    return silent[a] & silent[b] & ~separated_[left] & ~separated_[right]


def _does_victim_file_cite_no_case(records: Records, pairs: pd.DataFrame) -> np.ndarray:
    """Return whether each pair has a file of an institution that opens cases and a file about one victim that cites no case.

    A victim's file belongs to the case that it cites. Without a citation, it is more often about a matter that those institutions do not
    know.
    """
    code, names = assign_institution_numbers(records)
    opens = np.array([name in contract.institutions_at_stages("registration", "prosecution") for name in names], dtype=bool)[code]
    kinds = [
        kind for kind, name in contract.institution_of_number_kind().items() if name not in contract.institutions_with_file_per_person()
    ]
    without_citation = _are_files_about_one_victim(records)
    without_citation[records.references.loc[records.references["kind"].isin(kinds), "file"].to_numpy("int64")] = False
    a, b = pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64")
    return np.asarray((opens[a] & without_citation[b]) | (opens[b] & without_citation[a]), dtype=bool)


def weigh_against_citing_third_files(
    records: Records, model: Model, pairs: pd.DataFrame, ties: FileTies, weighed: pd.DataFrame
) -> np.ndarray:
    """Return the bits against each pair of which one file cites, is cited by, or was merged into a third file of the institution of the
    other file.

    The bits are weighted with the probability that the third file belongs to the case of the first file, and not to that of the second. If
    one file cites both, the more probable citation is taken as right, and the other one does not count; likewise a merger, of which a near
    number may name the right file. weighed: a, b, weight of pairs of files by other evidence, including `pairs` (with `citation`).
    """
    exact, size = ties.exact_citations, len(records.files)
    citing, cited = exact["a"].to_numpy("int64"), exact["b"].to_numpy("int64")
    merged, target = ties.joins["a"].to_numpy("int64"), ties.joins["b"].to_numpy("int64")
    one, other, weight = weighed["a"].to_numpy("int64"), weighed["b"].to_numpy("int64"), weighed["weight"].to_numpy("float64")
    bits_by_pair = CodeLookup(
        np.concatenate([_encode_ordered_pairs(records, one, other), _encode_ordered_pairs(records, other, one)]),
        np.concatenate([weight, weight]),
    )
    a, b, citation = pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64"), pairs["citation"].to_numpy("float64")
    bits_of_pair = np.maximum(bits_by_pair.look_up_values(_encode_ordered_pairs(records, a, b), UNTIED_BITS), 0.0)
    out = np.zeros(len(pairs))
    for name, one, other in (("another_cited", citing, cited), ("cited_by_another", cited, citing), ("another_cited", merged, target)):
        tied_to = RowIndexByOwner(one, size)
        for first, second in ((a, b), (b, a)):
            pair, third, both = _find_third_files(records, first, second, tied_to, other)
            if name == "cited_by_another":  # many may cite one file
                pair, third, both = pair[~both], third[~both], both[~both]
            tied = bits_by_pair.look_up_values(_encode_ordered_pairs(records, first[pair], third), UNTIED_BITS) - np.where(
                both, bits_of_pair[pair], 0.0
            )
            between = bits_by_pair.look_up_values(_encode_ordered_pairs(records, second[pair], third), UNTIED_BITS)
            most = model.cases[name] - np.where(both, citation[pair], 0.0)
            np.minimum.at(out, pair, most * _convert_bits_to_probability(tied) * (1 - _convert_bits_to_probability(between)))
    return out


def _find_third_files(
    records: Records, first: np.ndarray, second: np.ndarray, tied_to: RowIndexByOwner, other: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the other files of the institution of `second` to which the file `first` of a pair is tied.

    Return the row of the pair, the third file, and whether `first` is also tied to `second`.
    """
    institution, _ = assign_institution_numbers(records)
    pair, tie = tied_to.find_rows_of_owners(first)
    third = other[tie]
    also_tied = np.zeros(len(first), dtype=bool)
    also_tied[pair[third == second[pair]]] = True
    _, names = assign_institution_numbers(records)
    several = np.array(
        [name in contract.institutions_with_file_per_person() for name in names], dtype=bool
    )  # other files of the case there are no rivals
    others = (institution[third] == institution[second[pair]]) & (third != second[pair]) & ~several[institution[third]]
    return pair[others], third[others], also_tied[pair[others]]


def _convert_bits_to_probability(bits: np.ndarray) -> np.ndarray:
    """Return the probability that corresponds to odds in bits."""
    return np.asarray(1.0 / (1.0 + np.exp2(-np.clip(bits, -50, 50))))


def _form_clusters_of_files(records: Records, model: Model, pairs: pd.DataFrame, constraints: Constraints) -> np.ndarray:
    """Cluster the files by their weighted pairs and the decisions of stewards. Return the cluster of each file."""
    setting = model.cases
    rules = cluster.JoiningRules(setting["best_share"], setting["spine"], setting["occupied"], setting["spine"])
    a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
    spine = [name for name in contract.institution_of_number_kind().values() if name not in contract.institutions_with_file_per_person()]
    kind = map_values_to_numbers(records.files["institution"], {name: n for n, name in enumerate(spine)}, -1)
    strong = ((kind[a] >= 0) & (kind[b] >= 0)) | (pairs["citation"] + pairs["together"] > 0).to_numpy()
    weighted_pairs = replace(cluster.build_weighted_pairs(a, b, pairs["weight"].to_numpy("float64")), strong=strong)
    return cluster.form_clusters_by_agglomeration(len(records.files), weighted_pairs, rules, kind, constraints)
