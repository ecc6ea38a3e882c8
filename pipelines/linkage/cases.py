"""Linkage of case files to cases: evidence of references, persons, dates, seats, offences and sentences.

Belongs here: candidate pairs of files, their weight in bits, the clusters. Does not belong here: comparison of persons (`score`),
resolving of case numbers (`references`), the shares of dates and codes (`evidence`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.linkage import cluster, references
from pipelines.linkage.certain_pairs import certain_pairs, separated
from pipelines.linkage.constraints import Constraints
from pipelines.linkage.evidence import Shares, Weigher, institutions, pair_kinds, read_off
from pipelines.linkage.model import Between, Model
from pipelines.linkage.pairs import PersonPairs
from pipelines.linkage.person_overlap import PersonOverlap, overlap
from pipelines.linkage.standardise import Records
from pipelines.linkage.states import mapped
from pipelines.resources.flat import Rows, Table, distinct, each, most_of
from sources import contract

PARTS = ("prior", "persons", "citation", "together", "apart", "another")
# An institution counts as having at least so many files in the odds of a pair.
LEAST_FILES = 50
PERSON_BITS = 24.0
# Up to so many files of an institution, a pair of persons that weighs `share_bits` makes their files candidates; twice as many files need
# one bit more, as for a pair of files.
FEW_FILES = 2_000
# Persons of more records than this give no candidate pairs of files.
MOST_MATES = 60
# What is expected of a pair of institutions that the model does not know, by how many of them open a file for each person of a case.
UNKNOWN_PAIR = (Between(0.05, 0.5), Between(0.8, 0.9), Between(0.5, 0.5))
# Bits of a pair of files that is not a candidate.
UNTIED = -20.0
# Bits of a merger into a file beyond those of a citation: few files are merged, so a merger is stronger evidence.
MERGED_BITS = 6.0
# Bits of a party separated on the day on which another file of the same institution with that party was received.
SEPARATED_BITS = 5.0


@dataclass(frozen=True)
class PriorRound:
    """Results of the round before: cluster per person record (None in the first round), share of persons who are in several cases."""

    persons: np.ndarray | None
    again: float


@dataclass(frozen=True)
class Cases:
    """`cluster` per file; `pairs`: one row per candidate pair with `a, b`, the bits of `PARTS`, `weight`; `bits`: further evidence by pair
    (`Weigher.bits`); `shares`: the shares used to weigh it."""

    cluster: np.ndarray
    pairs: pd.DataFrame
    bits: pd.DataFrame
    shares: Shares


@dataclass(frozen=True)
class Ties:
    """Ties between files: citations (`references.cited`), mergers (`merged`), citations of the same number (`cited_together`), stays that
    begin together (`detained_together`). `component` per file, if only pairs within a component count."""

    cites: pd.DataFrame
    joins: pd.DataFrame
    together: pd.DataFrame
    detained: pd.DataFrame
    component: np.ndarray | None = None


def ties_of(records: Records) -> Ties:
    """The ties between the files of `records`."""
    named = references.cited(records), references.merged(records), references.cited_together(records)
    return Ties(*named, references.detained_together(records))


def link_cases(
    records: Records,
    people: PersonPairs,
    model: Model,
    before: PriorRound,
    constraints: Constraints,
    ties: Ties | None = None,
    shares: Shares | None = None,
) -> Cases:
    """Cluster the files of `records`.

    `before`: results of the round before. `constraints`: decisions of stewards. `shares`: by default estimated from the records.
    """
    ties = ties or ties_of(records)
    pairs, _ = gather(records, people, model, before, constraints.every, ties)
    if pairs.empty:
        bits, shares = pd.DataFrame({"pair": [], "name": [], "bits": []}), shares or Shares({}, {})
        pairs = pairs.assign(weight=0.0, another=0.0)
    else:
        pairs, bits, shares = weigh(records, model, pairs, shares)
        pairs["another"] = cites_another(records, model, pairs, ties.cites, pairs)
        pairs["weight"] += pairs["another"]
    pairs, bits = _with_detained(records, model, pairs, bits, ties.detained)
    return Cases(_group(records, model, pairs, constraints), pairs, bits, shares)


def _with_detained(
    records: Records, model: Model, pairs: pd.DataFrame, bits: pd.DataFrame, detained: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`pairs` and their evidence `bits`, with stays that began together and have no other tie.

    A stay is left out if it probably belongs to the case of a file of an institution that registers cases: that file names everybody who
    was arrested, so any other stay of that case is tied by its person.
    """
    found = orient(records, detained["a"].to_numpy("int64"), detained["b"].to_numpy("int64"))
    known = _codes(records, pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64"))
    found = found[~np.isin(_codes(records, found["a"].to_numpy(), found["b"].to_numpy()), known)]
    registers = records.files["institution"].isin(contract.at("registration")).to_numpy()
    arrested = pairs.loc[(pairs["weight"] > 0) & (registers[pairs["a"]] | registers[pairs["b"]]), ["a", "b"]].to_numpy()
    found = found[~found[["a", "b"]].isin(arrested.ravel()).any(axis=1)]
    if found.empty:
        return pairs, bits
    weight = model.cases["detained_together"]
    new = found.assign(**dict.fromkeys(PARTS, 0.0), left=-1, right=-1, best=np.nan, single=False, weight=weight)
    reason = pd.DataFrame({"pair": np.arange(len(new)) + len(pairs), "name": "detained", "bits": weight})
    return pd.concat([pairs, new], ignore_index=True), pd.concat([bits, reason], ignore_index=True)


def weigh(records: Records, model: Model, pairs: pd.DataFrame, shares: Shares | None) -> tuple[pd.DataFrame, pd.DataFrame, Shares]:
    """`pairs` of `gather` with `weight` from the evidence of the two files alone (`another` still 0); further evidence; its shares."""
    shares = shares or read_off(records, certain_pairs(records, pairs), model)
    bits = Weigher(records, shares, model).bits(pairs, pairs["left"].ge(0).to_numpy())
    beside = np.bincount(bits["pair"].to_numpy("int64"), weights=bits["bits"].to_numpy("float64"), minlength=len(pairs))
    pairs = pairs.assign(another=0.0)
    return pairs.assign(weight=pairs[list(PARTS)].sum(axis=1) + beside), bits, shares


def gather(
    records: Records,
    people: PersonPairs,
    model: Model,
    before: PriorRound,
    extra: pd.DataFrame | None = None,
    ties: Ties | None = None,
    chosen: pd.DataFrame | None = None,
    overlaps: PersonOverlap | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Candidate pairs of files, and those of `extra` (`a, b`), with the evidence of persons and references; citations (`cited`).

    Pairs: `a, b` oriented, `left, right` (the best matching persons, -1 if none is similar), `best` (bits of that match),
    `single` (a number with a single bearer is cited), and bits `persons, prior, citation, together, apart`. `chosen`: only these pairs;
    `overlaps`: their persons, if already compared.
    """
    ties = ties or ties_of(records)
    cites, joins, together = ties.cites, ties.joins, ties.together
    pairs = candidates(records, people, model, before.persons, ties, extra) if chosen is None else chosen
    kinds, names = pair_kinds(records, pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64"))
    expected = each(names, kinds, lambda kind: between(kind, model).expected)
    coverage = each(names, kinds, lambda kind: between(kind, model).coverage)
    pairs = _with_persons(records, overlaps or overlap(records, people, pairs), model, pairs, coverage, before)
    alike = pairs["best"] >= model.cases["alike_person"]  # otherwise the days of two persons are no evidence for one case
    pairs[["left", "right"]] = pairs[["left", "right"]].where(alike, -1)
    pairs["prior"] = np.log2(expected) - np.log2(_files_of(records, pairs))
    return pairs.join(_reference_bits(records, model, pairs, cites, joins, together)), cites


def between(kind: str, model: Model) -> Between:
    """What is expected of a pair of institutions (`pair_kinds`): as in the model, else by whether they open a file for each person."""
    persons = sum(name in contract.of_one_person() for name in kind.split("-"))
    return model.between.get(kind) or UNKNOWN_PAIR[persons]


def shared_bits(records: Records, model: Model) -> float:
    """Match weight from which a pair of persons makes their files candidates."""
    counts = records.files["institution"].value_counts() if records.counts is None else records.counts
    most = max((n for name, n in counts.items() if name != "persons"), default=1)
    return float(model.cases["share_bits"] + max(np.log2(most / FEW_FILES), 0.0))


def orient(records: Records, a: np.ndarray, b: np.ndarray) -> pd.DataFrame:
    """Distinct pairs of different files, upstream institution first, within one institution the earlier file first: `a, b`, sorted."""
    place: np.ndarray = records.once("upstream", lambda: _upstream(records))
    turned = place[a] > place[b]
    codes = _codes(records, np.where(turned, b, a), np.where(turned, a, b))
    codes = distinct(codes[a != b])
    return pd.DataFrame({"a": codes // max(len(place), 1), "b": codes % max(len(place), 1)})


def _upstream(records: Records) -> np.ndarray:
    """Rank of each file: the lower of a pair comes first."""
    files, persons = records.files, records.persons
    rank = mapped(files["institution"], contract.place_of(), len(contract.place_of()))
    admitted = persons.groupby("file")["admitted"].min().reindex(files.index)
    start = files[["reported", "received"]].min(axis=1).fillna(admitted).astype("datetime64[s]").fillna(pd.Timestamp.max.floor("s"))
    place = np.empty(len(files), dtype="int64")
    place[np.lexsort((np.arange(len(files)), start.to_numpy(), rank))] = np.arange(len(files))
    return place


def _codes(records: Records, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A number per ordered pair of files."""
    return np.asarray(a * max(len(records.files), 1) + b, dtype="int64")


def candidates(
    records: Records, people: PersonPairs, model: Model, person_cluster: np.ndarray | None, ties: Ties, extra: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Pairs of files (`a, b`) that share a person, are tied by a reference, or are in `extra`."""
    enough = people.weight >= shared_bits(records, model)
    left, right = people.left[enough], people.right[enough]
    if person_cluster is not None:
        mates = Rows(person_cluster, int(person_cluster.max(initial=-1)) + 1)
        clusters = np.flatnonzero((mates.sizes > 1) & (mates.sizes <= MOST_MATES))
        _, one, other = mates.across(clusters, clusters)
        left, right = np.concatenate([left, one[one < other]]), np.concatenate([right, other[one < other]])
    file = records.persons["file"].to_numpy()
    sources = [ties.cites, ties.joins, ties.together, *([] if extra is None else [extra])]
    a = np.concatenate([file[left], *[s["a"].to_numpy() for s in sources]]).astype("int64")
    b = np.concatenate([file[right], *[s["b"].to_numpy() for s in sources]]).astype("int64")
    placed = (a >= 0) & (b >= 0)
    if ties.component is not None:
        placed &= ties.component[a] == ties.component[b]
    return orient(records, a[placed], b[placed])


def _files_of(records: Records, pairs: pd.DataFrame) -> np.ndarray:
    """Number of files of the larger of the two institutions of each pair."""
    code, names = institutions(records)
    counts = records.files["institution"].value_counts() if records.counts is None else records.counts
    count = each(names, code, lambda name: float(counts[name]))
    return np.maximum(np.maximum(count[pairs["a"]], count[pairs["b"]]), LEAST_FILES)


def _with_persons(
    records: Records, overlaps: PersonOverlap, model: Model, pairs: pd.DataFrame, coverage: np.ndarray, before: PriorRound
) -> pd.DataFrame:
    """`pairs` with the bits of the persons of both files (`persons`), and the best matching pair of persons (`left` of `a`, `right`
    of `b`, `best`). `coverage`: expected share of the persons of one file that are in the other."""
    pair, left, right, weight = overlaps.pair, overlaps.left, overlaps.right, overlaps.weight
    if before.persons is not None:
        one = before.persons[left] == before.persons[right]
        weight = np.where(one, np.maximum(weight, model.cases["known_person"]), np.minimum(weight, model.cases["other_person"]))
    weight = np.clip(weight, -PERSON_BITS, PERSON_BITS)
    likelier = np.exp2(weight)
    wrong = np.clip(before.again / _files_of(records, pairs), 0.0, 0.5)
    found = np.full((2, len(pairs)), -np.inf)
    for side, (of_pair, place) in enumerate(overlaps.sides):
        many = np.bincount(overlaps.sides[1 - side][0], minlength=len(pairs))
        mean = np.bincount(place, weights=likelier) / many[of_pair]
        found[side] = _containment(of_pair, mean, coverage, wrong, model)
    contained = found.max(axis=0)
    first = most_of(pair, weight)
    best = np.full((2, len(pairs)), -1)
    best[:, pair[first]] = left[first], right[first]
    bits = np.full(len(pairs), np.nan)
    bits[pair[first]] = weight[first]
    return pairs.assign(left=best[0], right=best[1], best=bits, persons=np.where(np.isfinite(contained), contained, 0.0))


def _containment(pair: np.ndarray, likelier: np.ndarray, coverage: np.ndarray, wrong: np.ndarray, model: Model) -> np.ndarray:
    """Bits per pair for persons of one file in the other: the clearest person counts in full, companions less."""
    share, chance = coverage[pair], wrong[pair]
    hit = np.log2(1 - share + share * likelier)
    alone = hit - np.log2(1 - chance + chance * likelier)
    beside = model.cases["companions"]
    companion = hit - np.log2(1 - beside + beside * likelier)
    clearest, most = most_of(pair, alone), model.cases["companion_bits"]
    rest = np.bincount(pair, weights=companion, minlength=len(coverage))[pair[clearest]] - companion[clearest]
    out = np.full(len(coverage), -np.inf)
    out[pair[clearest]] = alone[clearest] + np.clip(rest, -most, most)
    return out


def _reference_bits(
    records: Records, model: Model, pairs: pd.DataFrame, cites: pd.DataFrame, joins: pd.DataFrame, together: pd.DataFrame
) -> pd.DataFrame:
    """`citation` (either file cites the other; both add up), `together` (both cite the same number), `apart` (both cite numbers of
    one kind, but different ones), `single` (a number with a single bearer is cited)."""
    setting, files = model.cases, np.log2(_files_of(records, pairs))
    a, b = pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64")
    directions = _codes(records, a, b), _codes(records, b, a)
    right, wrong = setting["reference_right"], setting["reference_wrong"]
    citation = np.zeros(len(pairs))
    single = np.zeros(len(pairs), dtype=bool)
    for frame, surer in ((cites[~cites["near"]], 0.0), (joins, MERGED_BITS)):
        table = _table(records, frame, "bearers")
        for direction in directions:
            bearers = table.at(direction)
            named = np.isfinite(bearers)
            citation[named] += files[named] + np.log2(right / (wrong + bearers[named] - 1)) + surer
            single |= bearers == 1
    citation += np.where(separated(records, pairs), SEPARATED_BITS, 0.0)
    table = _table(records, cites[cites["near"]], "bearers")
    use = (np.isfinite(table.at(directions[0])) | np.isfinite(table.at(directions[1]))) & (citation == 0)
    citation[use] += files[use] + setting["near_reference"]
    table = _table(records, together, "citing")
    both = np.isfinite(table.at(directions[0])) | np.isfinite(table.at(directions[1]))
    shared = np.where(both, files + setting["cited_together"], 0.0)
    # Between files that cite each other, even nearly, other citations or missing ones do not count against the pair.
    apart = references.cited_apart(records, pairs) | (_no_second_file_named(records, pairs) & ~both)
    apart = np.where(apart & (citation == 0), setting["cited_apart"], 0.0)
    return pd.DataFrame({"citation": citation, "together": shared, "apart": apart, "single": single}, index=pairs.index)


def _no_second_file_named(records: Records, pairs: pd.DataFrame) -> np.ndarray:
    """Pairs of files of a prosecution that mention no second file: it has two files of one case only if a party is separated or cases are
    joined, and its files record both."""
    silent = records.files["institution"].isin(contract.at("prosecution")).to_numpy().copy()
    silent[records.merges["file"].to_numpy("int64")] = False
    separated_ = np.append(records.persons["separated"].notna().to_numpy(), False)
    a, b, left, right = (pairs[name].to_numpy("int64") for name in ("a", "b", "left", "right"))
    return silent[a] & silent[b] & ~separated_[left] & ~separated_[right]


def _table(records: Records, frame: pd.DataFrame, column: str) -> Table:
    """The smallest `column` of `frame` by ordered pair of files."""
    return Table(_codes(records, frame["a"].to_numpy("int64"), frame["b"].to_numpy("int64")), frame[column].to_numpy())


def cites_another(records: Records, model: Model, pairs: pd.DataFrame, cites: pd.DataFrame, weighed: pd.DataFrame) -> np.ndarray:
    """Bits against a pair if one of its files cites, or is cited by, a third file of the other's institution.

    The bits are weighted by the probability that the third file belongs to the case of the first, and not to that of the second. If one
    file cites both, the likelier citation is taken as right, and the other no longer counts.
    `weighed`: `a, b, weight` of pairs of files from other evidence, including `pairs` (with `citation`).
    """
    exact, size = cites[~cites["near"]], len(records.files)
    citing, cited = exact["a"].to_numpy("int64"), exact["b"].to_numpy("int64")
    one, other, weight = weighed["a"].to_numpy("int64"), weighed["b"].to_numpy("int64"), weighed["weight"].to_numpy("float64")
    known = Table(np.concatenate([_codes(records, one, other), _codes(records, other, one)]), np.concatenate([weight, weight]))
    a, b, citation = pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64"), pairs["citation"].to_numpy("float64")
    own = np.maximum(known.at(_codes(records, a, b), UNTIED), 0.0)
    out = np.zeros(len(pairs))
    for name, one, other in (("another_cited", citing, cited), ("cited_by_another", cited, citing)):
        tied_to = Rows(one, size)
        for first, second in ((a, b), (b, a)):
            pair, third, both = _third_files(records, first, second, tied_to, other)
            if name == "cited_by_another":  # many may cite one file
                pair, third, both = pair[~both], third[~both], both[~both]
            tied = known.at(_codes(records, first[pair], third), UNTIED) - np.where(both, own[pair], 0.0)
            between = known.at(_codes(records, second[pair], third), UNTIED)
            most = model.cases[name] - np.where(both, citation[pair], 0.0)
            np.minimum.at(out, pair, most * _probability(tied) * (1 - _probability(between)))
    return out


def _third_files(
    records: Records, first: np.ndarray, second: np.ndarray, tied_to: Rows, other: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Other files of the institution of `second` to which the file `first` of a pair is tied: row of the pair, file, whether `first` is
    also tied to `second`."""
    institution, _ = institutions(records)
    pair, tie = tied_to.of(first)
    third = other[tie]
    own = np.zeros(len(first), dtype=bool)
    own[pair[third == second[pair]]] = True
    _, names = institutions(records)
    several = np.array([name in contract.of_one_person() for name in names], dtype=bool)  # other files of the case there are no rivals
    others = (institution[third] == institution[second[pair]]) & (third != second[pair]) & ~several[institution[third]]
    return pair[others], third[others], own[pair[others]]


def _probability(bits: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp2(-np.clip(bits, -50, 50))))


def _group(records: Records, model: Model, pairs: pd.DataFrame, constraints: Constraints) -> np.ndarray:
    setting = model.cases
    rules = cluster.Rules(setting["best_share"], setting["spine"], setting["occupied"], setting["spine"])
    a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
    spine = [name for name in contract.bearers().values() if name not in contract.of_one_person()]
    kind = mapped(records.files["institution"], {name: n for n, name in enumerate(spine)}, -1)
    strong = ((kind[a] >= 0) & (kind[b] >= 0)) | (pairs["citation"] + pairs["together"] > 0).to_numpy()
    found = replace(cluster.from_weights(a, b, pairs["weight"].to_numpy("float64")), strong=strong)
    return cluster.agglomerate(len(records.files), found, rules, kind, constraints)
