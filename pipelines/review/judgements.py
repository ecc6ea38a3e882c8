"""Judgements of stewards: entering them, reading them, and which of them stand.

Belongs here: what is a judgement, the rule by which several become one verdict. Does not belong here: who may judge, what linkage
makes of it.

A judgement is never changed or deleted. A steward's latest one on a pair counts; `withdrawn` takes back what the steward said
before. Where stewards disagree none has effect, and the pair is shown as disputed.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from pipelines.errors import HarmoniaError
from pipelines.points import Point, reached
from pipelines.registry import Registry
from pipelines.registry.ledger import now
from pipelines.registry.tables import Judgement
from pipelines.review.pairs import PAIR, ordered

VERDICTS = ("same", "different", "unsure", "withdrawn")
JUDGEMENT = ["id", *PAIR, "verdict", "steward", "decided_at", "why", "model", "weight", "blind", "origin"]
MOST_LETTERS = {"steward": 100, "why": 2000}
_STORED = {"entity": "kind", "key_a": "record_key_a", "key_b": "record_key_b"}


def cleaned(what: str, value: str) -> str:
    """`value` on one line without needless spaces. Raises `HarmoniaError` where it is empty, too long or holds control characters.

    what: `steward` or `why`
    """
    flat = " ".join(unicodedata.normalize("NFC", value).split())
    if not flat:
        raise HarmoniaError(f"{what} is empty: " + ("say who judges (--by)" if what == "steward" else "say why (--why)"))
    if len(flat) > MOST_LETTERS[what]:
        raise HarmoniaError(f"{what} has {len(flat)} letters, at most {MOST_LETTERS[what]} are kept: shorten it")
    if any(unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co") for letter in flat):
        raise HarmoniaError(f"{what} holds characters that cannot be printed: type it again")
    return flat


def steward_key(names: pd.Series) -> pd.Series:
    """What makes two spellings of a steward's name one: case and spaces do not."""
    return names.astype("str").str.casefold().str.split().str.join(" ")


def enter(registry: Registry, said: pd.DataFrame) -> pd.Series:
    """Enter judgements, all in one transaction.

    said: `PAIR`, verdict, steward, why, model, weight, blind, origin (null: typed). A judgement is not entered again where the steward's
    latest on the pair says the same in the same words, or where this steward's judgement on the pair came in this very file before.
    Out, on the index of `said`: True where a judgement was entered. Raises `HarmoniaError` where the registry is held by another.
    """
    rows = ordered(said).assign(who=steward_key(said["steward"]))
    with registry.write() as session:
        if session.get_bind().dialect.name == "postgresql":  # one writer at a time, as SQLite has it by itself
            session.execute(text("LOCK TABLE judgement IN SHARE ROW EXCLUSIVE MODE"))
        fresh = ~_known(rows, _stored(session))
        moment = now()
        columns = [*PAIR, "verdict", "steward", "why", "model", "weight", "blind", "origin"]
        new = rows.loc[fresh, columns].rename(columns=_STORED).astype(object)
        new = new.where(new.notna(), None)
        if len(new):
            session.execute(insert(Judgement), records(new.assign(decided_at=moment)))
            reached(Point.JUDGEMENTS_ENTERED)
    return fresh


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of `frame` as the database takes them."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _known(rows: pd.DataFrame, stored: pd.DataFrame) -> pd.Series:
    """Which of `rows` would say again what `stored` holds."""
    stored = stored.assign(who=steward_key(stored["steward"]))
    latest = stored.drop_duplicates([*PAIR, "who"], keep="last")
    said = [*PAIR, "who", "verdict", "why", "blind"]
    again = pd.MultiIndex.from_frame(rows[said].astype("str")).isin(pd.MultiIndex.from_frame(latest[said].astype("str")))
    filed = [*PAIR, "who", "origin"]
    files = stored.dropna(subset=["origin"])
    before = pd.MultiIndex.from_frame(rows[filed].astype("str")).isin(pd.MultiIndex.from_frame(files[filed].astype("str")))
    return pd.Series(again | (before & rows["origin"].notna().to_numpy()), index=rows.index)


def read(registry: Registry) -> pd.DataFrame:
    """All judgements ever entered, in the order in which they were: `JUDGEMENT`."""
    with registry.read() as session:
        return _stored(session)


def _stored(session: Session) -> pd.DataFrame:
    names = {"id": "id", **{c: _STORED.get(c, c) for c in JUDGEMENT[1:]}}
    rows = session.execute(select(*(getattr(Judgement, names[c]) for c in JUDGEMENT)).order_by(Judgement.id)).all()
    text_columns = dict.fromkeys([*PAIR, "verdict", "steward", "why", "model", "origin"], "str")
    frame = pd.DataFrame([tuple(row) for row in rows], columns=JUDGEMENT)
    return frame.astype({**text_columns, "id": "int64", "weight": "float64", "blind": "bool"})


def effective(judgements: pd.DataFrame) -> pd.DataFrame:
    """The verdict that stands on each pair: `PAIR`, verdict, in the order in which the verdicts came to stand.

    judgements: `PAIR`, verdict, steward, in the order of entry (`read`). Verdicts out: `same`, `different`; `unsure` where nobody
    says more; `disputed` where one steward's latest word is `same` and another's is `different`. A pair of which all was withdrawn
    is absent.
    """
    rows = ordered(judgements[[*PAIR, "verdict", "steward"]])
    rows = rows.assign(who=steward_key(rows["steward"]), place=np.arange(len(rows)))
    rows = rows.drop_duplicates([*PAIR, "who"], keep="last")
    rows = rows[rows["verdict"] != "withdrawn"]
    for verdict in ("same", "different"):
        rows[verdict] = rows["verdict"] == verdict
    pairs = rows.groupby(PAIR, sort=False).agg(same=("same", "any"), different=("different", "any"), place=("place", "max")).reset_index()
    both = [pairs["same"] & pairs["different"], pairs["same"], pairs["different"]]
    pairs["verdict"] = np.select(both, ["disputed", "same", "different"], "unsure")
    pairs = pairs.sort_values("place", kind="stable").reset_index(drop=True)
    return pairs[[*PAIR, "verdict"]].astype("str")
