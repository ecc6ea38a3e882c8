"""Enter or undo a judgement on one pair, for `harmonia review decide` and for the portal.

Belongs here: what is recorded with a verdict, when a second steward is needed, undoing. Does not belong here: which pairs are judged and
by whom, judgements in workbooks (`intake`).
"""

from __future__ import annotations

import pandas as pd

from harmonia.registry import Registry
from harmonia.review.judgements import PROPOSED, enter_judgements, normalise_steward_names, normalise_steward_or_reason, read_judgements
from harmonia.review.pairs import PAIR
from harmonia.review.published import PublishedRun


def needs_second_steward(pair: pd.DataFrame, verdict: str) -> bool:
    """Return whether a second steward must agree to a verdict. This is so if the verdict joins persons of two institutions."""
    return verdict == "same" and bool((pair["entity"] == "person").all() and (pair["institution_a"] != pair["institution_b"]).all())


def enter_verdict(
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
    """Enter the `verdict` of a steward on `pair`, and return whether it was new. `pair` is a frame of one row with the columns `PAIR`.

    `why` is the reason. If `blind` is true, the steward saw neither weight nor decision. If `two_stewards` is true, a verdict that needs a
    second steward (`needs_second_steward`) is entered as `PROPOSED`. Raises `HarmoniaError` if steward or reason is empty, or if the
    registry is locked.
    """
    entered = PROPOSED if two_stewards and needs_second_steward(pair, verdict) else verdict
    weight = published_run.read_decisions().merge(pair[PAIR], on=PAIR)["weight"]
    judgement = pair[PAIR].assign(
        verdict=entered,
        steward=normalise_steward_or_reason("steward", steward),
        why=normalise_steward_or_reason("why", why),
        model=published_run.model,
        weight=float(weight.iloc[0]) if len(weight) else None,
        blind=blind,
        origin=None,
    )
    return bool(enter_judgements(registry, judgement).iloc[0])


def undo_verdict(registry: Registry, pair: pd.DataFrame, steward: str, why: str) -> str | None:
    """Undo the latest judgement of `steward` on `pair`.

    The steward's earlier verdict is entered again, or `withdrawn` if there is no earlier one. Returns the verdict that was entered, or
    None if there was nothing to undo.
    """
    judgements = read_judgements(registry).merge(pair[PAIR], on=PAIR)
    steward_judgements = judgements[normalise_steward_names(judgements["steward"]) == normalise_steward_names(pd.Series([steward])).iloc[0]]
    if steward_judgements.empty or steward_judgements["verdict"].iloc[-1] == "withdrawn":
        return None
    verdict = str(steward_judgements["verdict"].iloc[-2]) if len(steward_judgements) > 1 else "withdrawn"
    last = steward_judgements.tail(1)
    enter_judgements(
        registry,
        last[[*PAIR, "model", "weight", "blind"]].assign(
            verdict=verdict, steward=steward, why=normalise_steward_or_reason("why", why), origin=None
        ),
    )
    return verdict
