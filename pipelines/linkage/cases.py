"""Which case files speak of one case: collective evidence of references, persons, dates, seats, offences and sentences.

Belongs here: candidate pairs of files, their weight in bits, the groups. Does not belong here: comparison of persons (`score`),
resolving of numbers (`references`), the shares behind dates and codes (`evidence`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.linkage import cluster, references
from pipelines.linkage.evidence import Known, Shares, Weigher, pair_type, read_off
from pipelines.linkage.judged import Held
from pipelines.linkage.model import Model
from pipelines.linkage.pairs import PersonPairs
from pipelines.linkage.standardise import Records
from schemas.canonical import INSTITUTIONS

RANK = {name: n for n, name in enumerate(INSTITUTIONS)}
SPINE = ("police", "inspectorate", "prosecution", "courts")
PARTS = ("prior", "persons", "citation", "together", "apart", "another")
# Fewer files of an institution than this do not make a citation less telling.
LEAST_FILES = 50
PERSON_BITS = 24.0
# Files whose persons make more pairs than this are judged by references, dates and seats alone.
MOST_ACROSS = 22_500
# Bits by which persons must agree for a pair of files to be surely one case, beside a citation with a single bearer.
CERTAIN_PERSON = 10.0
# Few files say that they were merged: to say it into this one is that much more telling than to cite it.
MERGED_BITS = 6.0
# A party is separated on a day, and another file of the same institution with that party is received on it: no chance.
SEPARATED_BITS = 5.0


@dataclass(frozen=True)
class Before:
    """What is known before a round: cluster per person record (None in the first), share of persons who stand in several cases."""

    persons: np.ndarray | None
    again: float


@dataclass(frozen=True)
class Cases:
    """`cluster` per file; `pairs`: a row a candidate pair with `a, b`, the bits of `PARTS`, `weight`; `bits`: further evidence by pair
    (`Weigher.bits`); `shares`: what evidence was weighed by."""

    cluster: np.ndarray
    pairs: pd.DataFrame
    bits: pd.DataFrame
    shares: Shares


@dataclass(frozen=True)
class Ties:
    """What files say of each other: who cites whom (`references.cited`), was merged into whom (`merged`), cites the same
    (`cited_together`), begins together (`detained_together`). `part` per file, where only pairs within a part are looked at."""

    cites: pd.DataFrame
    joins: pd.DataFrame
    together: pd.DataFrame
    detained: pd.DataFrame
    part: np.ndarray | None = None


def ties_of(records: Records) -> Ties:
    """The ties between the files of `records`."""
    named = references.cited(records), references.merged(records), references.cited_together(records)
    return Ties(*named, references.detained_together(records))


def link_cases(
    records: Records, people: PersonPairs, model: Model, before: Before, held: Held, ties: Ties | None = None, shares: Shares | None = None
) -> Cases:
    """Group the files of `records`.

    `before`: what the round before found. `held`: what stewards decided. `shares`: else read off the records.
    """
    ties = ties or ties_of(records)
    pairs, _ = gather(records, people, model, before, held.every, ties)
    if pairs.empty:
        bits, shares = pd.DataFrame({"pair": [], "name": [], "bits": []}), shares or Shares({}, {})
        pairs = pairs.assign(weight=0.0, another=0.0)
    else:
        pairs, bits, shares = weigh(records, model, pairs, shares)
        pairs["another"] = _cites_another(records, model, pairs, ties.cites)
        pairs["weight"] += pairs["another"]
    pairs, bits = _with_detained(records, model, pairs, bits, ties.detained)
    return Cases(_group(records, model, pairs, held), pairs, bits, shares)


def _with_detained(
    records: Records, model: Model, pairs: pd.DataFrame, bits: pd.DataFrame, detained: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`pairs` and their evidence `bits`, with stays that began together and that nothing else ties.

    A stay that is likelier than not of a police file's case is left out: that file says who was arrested in it, and where another's stay is
    of that case, its person stands there too.
    """
    found = orient(records, detained["a"].to_numpy("int64"), detained["b"].to_numpy("int64"))
    known = pd.MultiIndex.from_frame(pairs[["a", "b"]])
    found = found[~pd.MultiIndex.from_frame(found).isin(known)]
    police = records.files["institution"].eq("police").to_numpy()
    arrested = pairs.loc[(pairs["weight"] > 0) & (police[pairs["a"]] | police[pairs["b"]]), ["a", "b"]].to_numpy()
    found = found[~found[["a", "b"]].isin(arrested.ravel()).any(axis=1)]
    if found.empty:
        return pairs, bits
    weight = model.cases["detained_together"]
    new = found.assign(**dict.fromkeys(PARTS, 0.0), left=-1, right=-1, best=np.nan, single=False, weight=weight)
    told = pd.DataFrame({"pair": np.arange(len(new)) + len(pairs), "name": "detained", "bits": weight})
    return pd.concat([pairs, new], ignore_index=True), pd.concat([bits, told], ignore_index=True)


def weigh(records: Records, model: Model, pairs: pd.DataFrame, shares: Shares | None) -> tuple[pd.DataFrame, pd.DataFrame, Shares]:
    """`pairs` of `gather` with `weight`, of what the two files say themselves (`another` is 0 yet); further evidence; its shares."""
    shares = shares or read_off(records, known_pairs(records, pairs), model)
    bits = Weigher(records, shares, model).bits(pairs, pairs["left"].ge(0).to_numpy())
    beside = np.bincount(bits["pair"].to_numpy("int64"), weights=bits["bits"].to_numpy("float64"), minlength=len(pairs))
    pairs = pairs.assign(another=0.0)
    return pairs.assign(weight=pairs[list(PARTS)].sum(axis=1) + beside), bits, shares


def gather(
    records: Records,
    people: PersonPairs,
    model: Model,
    before: Before,
    extra: pd.DataFrame | None = None,
    ties: Ties | None = None,
    chosen: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Candidate pairs of files, and those of `extra` (`a, b`), with what persons and references say; who cites whom (`cited`).

    Pairs: `a, b` oriented, `left, right` (the best matching persons, -1 where none is alike), `best` (bits of that match),
    `single` (a sole bearer is named), and bits `persons, prior, citation, together, apart`. `chosen`: these pairs and no others.
    """
    ties = ties or ties_of(records)
    cites, joins, together = ties.cites, ties.joins, ties.together
    pairs = candidates(records, people, model, before.persons, ties, extra) if chosen is None else chosen
    contained, best = _person_evidence(records, people, model, pairs, before)
    pairs = pairs.join(best)
    alike = pairs["best"] >= model.cases["alike_person"]  # only then do the days of two persons say anything of one case
    pairs[["left", "right"]] = pairs[["left", "right"]].where(alike, -1)
    pairs["persons"] = contained
    pairs["prior"] = _prior(records, model, pairs)
    return pairs.join(_reference_bits(records, model, pairs, cites, joins, together)), cites


def orient(records: Records, a: np.ndarray, b: np.ndarray) -> pd.DataFrame:
    """Distinct pairs of different files, upstream institution first, within one institution the earlier file first: `a, b`, sorted."""
    files, persons = records.files, records.persons
    rank = files["institution"].map(RANK).fillna(len(RANK)).to_numpy()
    admitted = persons.groupby("file")["admitted"].min().reindex(files.index)
    start = files[["reported", "received"]].min(axis=1).fillna(admitted).astype("datetime64[s]").fillna(pd.Timestamp.max.floor("s"))
    place = np.empty(len(files), dtype="int64")
    place[np.lexsort((np.arange(len(files)), start.to_numpy(), rank))] = np.arange(len(files))
    turned = place[a] > place[b]
    frame = pd.DataFrame({"a": np.where(turned, b, a), "b": np.where(turned, a, b)}).astype("int64")
    frame = frame[frame["a"] != frame["b"]].drop_duplicates()
    return frame.sort_values(["a", "b"], kind="stable").reset_index(drop=True)


def candidates(
    records: Records, people: PersonPairs, model: Model, person_cluster: np.ndarray | None, ties: Ties, extra: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Pairs of files (`a, b`) that share a person, or that references or `extra` name."""
    enough = people.weight >= model.cases["share_bits"]
    left, right = people.left[enough], people.right[enough]
    if person_cluster is not None:
        mates = pd.DataFrame({"c": person_cluster, "p": np.arange(len(person_cluster))})
        mates = mates[mates.groupby("c")["p"].transform("size") <= 60]
        mates = mates.merge(mates, on="c")
        mates = mates[mates["p_x"] < mates["p_y"]]
        left, right = np.concatenate([left, mates["p_x"]]), np.concatenate([right, mates["p_y"]])
    file = records.persons["file"].to_numpy()
    sources = [ties.cites, ties.joins, ties.together, *([] if extra is None else [extra])]
    a = np.concatenate([file[left], *[s["a"].to_numpy() for s in sources]]).astype("int64")
    b = np.concatenate([file[right], *[s["b"].to_numpy() for s in sources]]).astype("int64")
    placed = (a >= 0) & (b >= 0)
    if ties.part is not None:
        placed &= ties.part[a] == ties.part[b]
    return orient(records, a[placed], b[placed])


def _prior(records: Records, model: Model, pairs: pd.DataFrame) -> np.ndarray:
    kinds = pair_type(records.files, pairs["a"].to_numpy(), pairs["b"].to_numpy())
    expected = np.array([model.between[k].expected if k in model.between else 0.05 for k in kinds])
    return np.asarray(np.log2(expected) - np.log2(_files_of(records, pairs)))


def _files_of(records: Records, pairs: pd.DataFrame) -> np.ndarray:
    """Files of the larger of the two institutions of each pair."""
    counts = records.files["institution"].value_counts() if records.counts is None else records.counts
    count = records.files["institution"].map(counts).to_numpy("float64")
    return np.maximum(np.maximum(count[pairs["a"]], count[pairs["b"]]), LEAST_FILES)


def _person_evidence(
    records: Records, people: PersonPairs, model: Model, pairs: pd.DataFrame, before: Before
) -> tuple[np.ndarray, pd.DataFrame]:
    """Bits that the persons of both files give, and the best matching pair of persons (`left` of `a`, `right` of `b`, `best`)."""
    across = _persons_across(records, pairs)
    people.add(across["left"].to_numpy(), across["right"].to_numpy())
    weight = people.weight[people.at(across["left"].to_numpy(), across["right"].to_numpy())]
    person_cluster = before.persons
    if person_cluster is not None:
        one = person_cluster[across["left"]] == person_cluster[across["right"]]
        weight = np.where(one, np.maximum(weight, model.cases["known_person"]), np.minimum(weight, model.cases["other_person"]))
    across["weight"] = np.clip(weight, -PERSON_BITS, PERSON_BITS)
    across["likelier"] = np.exp2(across["weight"])
    kinds = pair_type(records.files, pairs["a"].to_numpy(), pairs["b"].to_numpy())
    coverage = np.array([model.between[k].coverage if k in model.between else 0.5 for k in kinds])
    wrong = np.clip(before.again / _files_of(records, pairs), 0.0, 0.5)
    found = np.full((2, len(pairs)), -np.inf)
    for side, (own, others) in enumerate((("left", "right"), ("right", "left"))):
        size = across.groupby("pair")[others].nunique()
        mean = across.groupby(["pair", own])["likelier"].sum().reset_index()
        mean["likelier"] /= size.reindex(mean["pair"]).to_numpy()
        found[side] = _containment(mean, coverage, wrong, model)
    contained = found.max(axis=0)
    best = across.sort_values(["pair", "weight", "left", "right"], ascending=[True, False, True, True]).drop_duplicates("pair")
    best = best.set_index("pair")[["left", "right", "weight"]].rename(columns={"weight": "best"}).reindex(pairs.index)
    best[["left", "right"]] = best[["left", "right"]].fillna(-1).astype("int64")
    return np.where(np.isfinite(contained), contained, 0.0), best


def _persons_across(records: Records, pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairs of persons of the two files of each pair who can be one: `pair, left, right`; none where both files hold a crowd."""
    size = records.persons["file"].value_counts().reindex(range(len(records.files)), fill_value=0).to_numpy()
    pairs = pairs[size[pairs["a"]] * size[pairs["b"]] <= MOST_ACROSS]
    persons = records.persons[["file", "side"]].reset_index(names="row")
    institution = records.files["institution"].to_numpy(dtype=object)
    left = pairs[["a", "b"]].reset_index(names="pair").merge(persons, left_on="a", right_on="file")
    both = left.merge(persons.rename(columns={"row": "right", "side": "other"}), left_on="b", right_on="file").rename(
        columns={"row": "left"}
    )
    # Courts and prisons know offenders only; witnesses stand nowhere but in police files.
    for own, file in (("side", "b"), ("other", "a")):
        where = institution[both[file].to_numpy()]
        knows = both[own].eq("offender") | both[own].isna()
        knows |= both[own].eq("victim") & np.isin(where, ["police", "prosecution"])
        knows |= both[own].eq("witness") & (where == "police")
        both = both[knows.to_numpy()]
    return both[["pair", "left", "right"]].reset_index(drop=True)


def _containment(mean: pd.DataFrame, coverage: np.ndarray, wrong: np.ndarray, model: Model) -> np.ndarray:
    """Bits per pair that the persons of one file are found in the other: the clearest person counts in full, companions less."""
    rows = mean["pair"].to_numpy()
    share, chance, likelier = coverage[rows], wrong[rows], mean["likelier"].to_numpy()
    hit = np.log2(1 - share + share * likelier)
    alone = hit - np.log2(1 - chance + chance * likelier)
    beside = model.cases["companions"]
    companion = hit - np.log2(1 - beside + beside * likelier)
    frame = pd.DataFrame({"pair": rows, "alone": alone, "companion": companion}).sort_values(["pair", "alone"], ascending=[True, False])
    clearest = frame.drop_duplicates("pair").set_index("pair")
    rest = frame.groupby("pair")["companion"].sum() - clearest["companion"]
    total = clearest["alone"] + rest.clip(-model.cases["companion_bits"], model.cases["companion_bits"])
    out = np.full(len(coverage), -np.inf)
    out[total.index.to_numpy()] = total.to_numpy()
    return out


def _reference_bits(
    records: Records, model: Model, pairs: pd.DataFrame, cites: pd.DataFrame, joins: pd.DataFrame, together: pd.DataFrame
) -> pd.DataFrame:
    """`citation` (either file names the other, both add up), `together` (both name the same number), `apart` (both name numbers of
    one kind, but different ones), `single` (a sole bearer is named)."""
    setting, files = model.cases, np.log2(_files_of(records, pairs))
    exact = cites[~cites["near"]]
    right, wrong = setting["reference_right"], setting["reference_wrong"]
    citation = np.zeros(len(pairs))
    single = np.zeros(len(pairs), dtype=bool)
    for frame, surer in ((exact, 0.0), (joins, MERGED_BITS)):
        for first, second in (("a", "b"), ("b", "a")):
            bearers = _lookup(pairs, frame, first, second, "bearers", "min")
            named = np.isfinite(bearers)
            citation[named] += files[named] + np.log2(right / (wrong + bearers[named] - 1)) + surer
            single |= bearers == 1
    citation += np.where(_separated(records, pairs), SEPARATED_BITS, 0.0)
    near = np.isfinite(_lookup(pairs, cites[cites["near"]], "a", "b", "bearers", "min")) | np.isfinite(
        _lookup(pairs, cites[cites["near"]], "b", "a", "bearers", "min")
    )
    use = near & (citation == 0)
    citation[use] += files[use] + setting["near_reference"]
    citing = _lookup(pairs, together, "a", "b", "citing", "min")
    citing = np.where(np.isfinite(citing), citing, _lookup(pairs, together, "b", "a", "citing", "min"))
    shared = np.where(np.isfinite(citing), files + setting["cited_together"], 0.0)
    # Two files that name each other, if only nearly, are not kept apart by what else they name.
    apart = np.where(references.cited_apart(records, pairs) & (citation == 0), setting["cited_apart"], 0.0)
    return pd.DataFrame({"citation": citation, "together": shared, "apart": apart, "single": single}, index=pairs.index)


def _separated(records: Records, pairs: pd.DataFrame) -> np.ndarray:
    """Pairs of one institution where the person of one file was separated on the day on which the other was received."""
    institution = records.files["institution"].to_numpy(dtype=object)
    received = records.files["received"].to_numpy()
    separated = np.append(records.persons["separated"].to_numpy(), np.datetime64("NaT"))
    a, b, left, right = (pairs[name].to_numpy() for name in ("a", "b", "left", "right"))
    said = (separated[left] == received[b]) | (separated[right] == received[a])
    return np.asarray(said & (institution[a] == institution[b]), dtype=bool)


def _lookup(pairs: pd.DataFrame, frame: pd.DataFrame, first: str, second: str, column: str, how: str) -> np.ndarray:
    """`column` of `frame` for the files of each pair (`first` of the pair is `a` of the frame), NaN where it has none."""
    values = frame.groupby(["a", "b"])[column].agg(how)
    return values.reindex(pd.MultiIndex.from_arrays([pairs[first], pairs[second]])).to_numpy("float64")


def known_pairs(records: Records, pairs: pd.DataFrame) -> Known:
    """Pairs surely of one case: a sole bearer is named and a person agrees clearly, and all pairs of a group that these make.

    Pairs surely of different cases: a person agrees clearly, and the two files stand in different groups of that kind.
    """
    sure = pairs[pairs["single"] & (pairs["best"] >= CERTAIN_PERSON)]
    groups = cluster.components(len(records.files), sure["a"].to_numpy(), sure["b"].to_numpy())
    placed = np.bincount(groups, minlength=len(groups) + 1)[groups] > 1
    clear = pairs[pairs["best"] >= CERTAIN_PERSON][["a", "b", "left", "right"]]
    one = groups[clear["a"]] == groups[clear["b"]]
    # One offence day in both groups, or a party separated: one case, perhaps, with a prosecution file each.
    offence = records.files.groupby(groups)["offence"].min().reindex(range(len(groups))).to_numpy()
    twice = offence[groups[clear["a"]]] == offence[groups[clear["b"]]]
    twice |= _separated(records, clear)
    return Known(clear[one], clear[~one & ~twice & placed[clear["a"]] & placed[clear["b"]]])


def _cites_another(records: Records, model: Model, pairs: pd.DataFrame, cites: pd.DataFrame) -> np.ndarray:
    """Bits against a pair where one file names another file of the other's institution, or is named by one, and not by its pair.

    It weighs as much as it is likely that the third file belongs to the case; nothing where it and the pair's other are one case.
    """
    exact = cites.loc[~cites["near"], ["a", "b"]]
    both_ways = pd.concat([pairs[["a", "b", "weight"]], pairs.rename(columns={"a": "b", "b": "a"})[["a", "b", "weight"]]])
    weight = both_ways.set_index(["a", "b"])["weight"]
    out = np.zeros(len(pairs))
    directions = (("another_cited", exact), ("cited_by_another", exact[["b", "a"]].set_axis(["a", "b"], axis=1)))
    for name, ties in directions:
        for first, second in (("a", "b"), ("b", "a")):
            third = _third_files(records, pairs, ties, first, second)
            tied = weight.reindex(pd.MultiIndex.from_frame(third[[first, "third"]])).fillna(-20.0).to_numpy()
            between = weight.reindex(pd.MultiIndex.from_frame(third[[second, "third"]])).fillna(-20.0).to_numpy()
            bits = model.cases[name] * _probability(tied) * (1 - _probability(between))
            worst = pd.Series(bits, index=third.index).groupby(third["pair"]).min()
            out[worst.index.to_numpy()] = np.minimum(out[worst.index.to_numpy()], worst.to_numpy())
    return out


def _third_files(records: Records, pairs: pd.DataFrame, ties: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Files of the institution of `second` that the file `first` of a pair is tied to, where it is not tied to `second` itself."""
    institution = records.files["institution"].to_numpy(dtype=object)
    third = pairs[[first, second]].reset_index(names="pair").merge(ties.set_axis([first, "third"], axis=1), on=first)
    third = third[institution[third["third"]] == institution[third[second]]]
    own = third.loc[third["third"] == third[second], "pair"].unique()
    return third[~third["pair"].isin(own)].reset_index(drop=True)


def _probability(bits: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp2(-np.clip(bits, -50, 50))))


def _group(records: Records, model: Model, pairs: pd.DataFrame, held: Held) -> np.ndarray:
    institution = records.files["institution"].to_numpy(dtype=object)
    setting = model.cases
    rules = cluster.Rules(setting["best_share"], setting["spine"], setting["occupied"], setting["spine"])
    a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
    kind = pd.Series(institution).map({name: n for n, name in enumerate(SPINE)}).fillna(-1).to_numpy("int64")
    strong = ((kind[a] >= 0) & (kind[b] >= 0)) | (pairs["citation"] + pairs["together"] > 0).to_numpy()
    found = replace(cluster.plain(a, b, pairs["weight"].to_numpy("float64")), strong=strong)
    return cluster.agglomerate(len(records.files), found, rules, kind, held)
