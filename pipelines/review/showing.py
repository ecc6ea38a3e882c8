"""What is said about one pair: records side by side, evidence, what stands and what clashes, in words.

Belongs here: texts and small tables for the console. Does not belong here: options, judging.
"""

from __future__ import annotations

import pandas as pd

from pipelines.linkage.constraints import clashes
from pipelines.review.describe import fields_of
from pipelines.review.exchange import side_by_side
from pipelines.review.judgements import effective
from pipelines.review.pairs import PAIR, pair_ids
from pipelines.review.published import Published


def records(found: Published, pair: pd.DataFrame, names: bool) -> pd.DataFrame:
    """The two records of the one `pair`: a row a field, columns field, and `institution key` of either."""
    entity = str(pair["entity"].iloc[0])
    values = side_by_side(found, pair, names).iloc[0]
    heads = [f"{pair[f'institution_{side}'].iloc[0]} {pair[f'key_{side}'].iloc[0]}" for side in "ab"]
    rows = [(field, values[f"{field} a"], values[f"{field} b"]) for field in fields_of(entity, names)]
    return pd.DataFrame(rows, columns=["field", *heads])


def evidence(found: Published, pair: pd.DataFrame) -> str:
    """Weight, decision and the bits of each piece of evidence of the one `pair`, as the last run had them."""
    known = found.decisions().merge(pair, on=PAIR)
    if known.empty:
        return "Weight: the last run had no doubt about this pair: far below the threshold, or never compared."
    row = known.iloc[0]
    bits = str(row["reasons"]) or "none worth a word"
    return f"Weight {row['weight']:+.2f} bits, {row['decision']}. Evidence, in bits for (+) and against (-) being one: {bits}"


def standing(judgements: pd.DataFrame, pair: pd.DataFrame) -> list[str]:
    """What stands on the one `pair`, and whether it clashes with other judgements: a line each."""
    stands = effective(judgements)
    verdict = stands.merge(pair, on=PAIR)["verdict"]
    name = pair_ids(pair).iloc[0]
    said = str(verdict.iloc[0]) if len(verdict) else ""
    lines = {
        "": f"{name}: nothing stands; linkage decides.",
        "disputed": f"{name}: disputed, since stewards disagree; it has no effect until they agree.",
        "unsure": f"{name}: unsure; linkage decides.",
    }
    return [lines.get(said, f"{name}: {said}, from the next run on."), *contradictory(judgements)]


def contradictory(judgements: pd.DataFrame) -> list[str]:
    """A line per judgement `same` that does not hold because others keep its records apart."""
    stands = effective(judgements)
    lost = stands[clashes(stands)]
    return [
        f"{pair}: `same` contradicts other judgements that keep the two apart; it has no effect until one of them is withdrawn."
        for pair in pair_ids(lost)
    ]
