"""Enter or undo a judgement on one pair, for `harmonia review decide` and for the portal.

Belongs here: what is recorded with a verdict, when a second steward is needed, undoing. Does not belong here: which pairs are judged and by
whom, judgements in workbooks (`intake`).
"""

from __future__ import annotations

import pandas as pd

from harmonia.registry import Registry
from harmonia.review.judgements import PROPOSED, enter_judgements, normalise_text, read_judgements, steward_key
from harmonia.review.pairs import PAIR
from harmonia.review.published import PublishedRun


def needs_second(pair: pd.DataFrame, verdict: str) -> bool:
    """Return whether two stewards must agree on a verdict, since it joins persons of two institutions."""
    return verdict == "same" and bool((pair["entity"] == "person").all() and (pair["institution_a"] != pair["institution_b"]).all())


def decide(
    published_run: PublishedRun,
    registry: Registry,
    pair: pd.DataFrame,
    verdict: str,
    steward: str,
    why: str,
    *,
    blind: bool = False,
    two_stewards: bool = False,
) -> bool:
    """Enter the `verdict` of a steward on `pair` (a frame of one row with the columns `PAIR`); return whether it was new.

    why: the reason. blind: the steward saw neither weight nor decision. two_stewards: enter a verdict that needs two stewards
    (`needs_second`) as `PROPOSED`. Raises `HarmoniaError` if steward or reason is empty, or the registry is locked.
    """
    entered = PROPOSED if two_stewards and needs_second(pair, verdict) else verdict
    weight = published_run.decisions().merge(pair[PAIR], on=PAIR)["weight"]
    judgement = pair[PAIR].assign(
        verdict=entered,
        steward=normalise_text("steward", steward),
        why=normalise_text("why", why),
        model=published_run.model,
        weight=float(weight.iloc[0]) if len(weight) else None,
        blind=blind,
        origin=None,
    )
    return bool(enter_judgements(registry, judgement).iloc[0])


def undo(registry: Registry, pair: pd.DataFrame, steward: str, why: str) -> str | None:
    """Undo the latest judgement of `steward` on `pair` by entering the verdict that the steward gave before it, or `withdrawn` if none.

    Returns the verdict entered; None if there is no judgement to undo.
    """
    judgements = read_judgements(registry).merge(pair[PAIR], on=PAIR)
    steward_judgements = judgements[steward_key(judgements["steward"]) == steward_key(pd.Series([steward])).iloc[0]]
    if steward_judgements.empty or steward_judgements["verdict"].iloc[-1] == "withdrawn":
        return None
    verdict = str(steward_judgements["verdict"].iloc[-2]) if len(steward_judgements) > 1 else "withdrawn"
    last = steward_judgements.tail(1)
    enter_judgements(
        registry,
        last[[*PAIR, "model", "weight", "blind"]].assign(verdict=verdict, steward=steward, why=normalise_text("why", why), origin=None),
    )
    return verdict
