"""Entering and undoing the judgement of one pair: the one service behind `harmonia review decide` and the portal.

Belongs here: what is recorded with a verdict, when a second steward is needed, undoing. Does not belong here: which pair, who may judge,
workbooks (`intake`).
"""

from __future__ import annotations

import pandas as pd

from harmonia.registry import Registry
from harmonia.review.judgements import PROPOSED, cleaned, enter_judgements, read, steward_key
from harmonia.review.pairs import PAIR
from harmonia.review.published import PublishedRun


def needs_second(pair: pd.DataFrame, verdict: str) -> bool:
    """Whether a verdict joins persons of two institutions: then two stewards must agree."""
    return verdict == "same" and bool((pair["entity"] == "person").all() and (pair["institution_a"] != pair["institution_b"]).all())


def decide(
    found: PublishedRun,
    registry: Registry,
    pair: pd.DataFrame,
    verdict: str,
    steward: str,
    why: str,
    *,
    blind: bool = False,
    two_stewards: bool = False,
) -> bool:
    """Enter `verdict` of `steward` on `pair` (one row of `PAIR`); returns whether it was new.

    two_stewards: a verdict that joins persons of two institutions is entered as proposed (`judgements.PROPOSED`). Raises `HarmoniaError`
    where steward or reason is empty, or the registry is locked.
    """
    entered = PROPOSED if two_stewards and needs_second(pair, verdict) else verdict
    weight = found.decisions().merge(pair[PAIR], on=PAIR)["weight"]
    judgement = pair[PAIR].assign(
        verdict=entered,
        steward=cleaned("steward", steward),
        why=cleaned("why", why),
        model=found.model,
        weight=float(weight.iloc[0]) if len(weight) else None,
        blind=blind,
        origin=None,
    )
    return bool(enter_judgements(registry, judgement).iloc[0])


def undo(registry: Registry, pair: pd.DataFrame, steward: str, why: str) -> str | None:
    """Enter again what `steward` judged on `pair` before the latest judgement, else `withdrawn`; None where there is nothing to undo."""
    judgements = read(registry).merge(pair[PAIR], on=PAIR)
    own = judgements[steward_key(judgements["steward"]) == steward_key(pd.Series([steward])).iloc[0]]
    if own.empty or own["verdict"].iloc[-1] == "withdrawn":
        return None
    verdict = str(own["verdict"].iloc[-2]) if len(own) > 1 else "withdrawn"
    last = own.tail(1)
    enter_judgements(
        registry, last[[*PAIR, "model", "weight", "blind"]].assign(verdict=verdict, steward=steward, why=cleaned("why", why), origin=None)
    )
    return verdict
