"""Judgements of stewards: entering and reading them, and the current verdicts.

Belongs here: the form of a judgement, the rule that combines several into one verdict. Does not belong here: who may judge, how linkage
uses verdicts.

A judgement is never changed or deleted. A steward's latest judgement on a pair counts; `withdrawn` withdraws the earlier one. Where
stewards disagree none has effect, and the pair is disputed. `proposed` is `same` where two stewards are needed: it has effect once a second
one proposes the same, or judges `same`.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from harmonia.errors import HarmoniaError
from harmonia.registry import Registry
from harmonia.registry.ledger import now
from harmonia.registry.tables import Judgement
from harmonia.review.pairs import PAIR, order_pairs

VERDICTS = ("same", "different", "unsure", "withdrawn")
PROPOSED = "proposed"
JUDGEMENT = ["id", *PAIR, "verdict", "steward", "decided_at", "why", "model", "weight", "blind", "origin"]
MOST_LETTERS = {"steward": 100, "why": 2000}
_STORED = {"entity": "kind", "key_a": "record_key_a", "key_b": "record_key_b"}


def cleaned(what: str, value: str) -> str:
    """`value` on one line with spaces normalised. Raises `HarmoniaError` where it is empty, too long or has control characters.

    what: `steward` or `why`
    """
    flat = " ".join(unicodedata.normalize("NFC", value).split())
    if not flat:
        raise HarmoniaError(f"{what} is empty: " + ("name who judges" if what == "steward" else "give a reason (--why)"))
    if len(flat) > MOST_LETTERS[what]:
        raise HarmoniaError(f"{what} has {len(flat)} characters, the limit is {MOST_LETTERS[what]}: shorten it")
    if any(unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co") for letter in flat):
        raise HarmoniaError(f"{what} contains unprintable characters: type it again")
    return flat


def steward_key(names: pd.Series) -> pd.Series:
    """The names of stewards normalised: case and spaces are ignored."""
    return names.astype("str").str.casefold().str.split().str.join(" ")


def enter_judgements(registry: Registry, given: pd.DataFrame) -> pd.Series:
    """Enter judgements, all in one transaction.

    given: `PAIR`, verdict, steward, why, model, weight, blind, origin (null: typed). A judgement is not entered again where the steward's
    latest on the pair is identical, or where this steward's judgement on the pair was imported from the same file before.
    Returns, indexed as `given`, whether each was entered. Raises `HarmoniaError` where the registry is locked by another process.
    """
    rows = order_pairs(given).assign(who=steward_key(given["steward"]))
    with registry.write() as session:
        if session.get_bind().dialect.name == "postgresql":  # one writer at a time, as in SQLite
            session.execute(text("LOCK TABLE judgement IN SHARE ROW EXCLUSIVE MODE"))
        fresh = ~_stored_already(rows, _stored_judgements(session))
        moment = now()
        columns = [*PAIR, "verdict", "steward", "why", "model", "weight", "blind", "origin"]
        new = rows.loc[fresh, columns].rename(columns=_STORED).astype(object)
        new = new.where(new.notna(), None)
        if len(new):
            session.execute(insert(Judgement), frame_rows(new.assign(decided_at=moment)))
    return fresh


def frame_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of `frame` as dicts for SQLAlchemy."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _stored_already(rows: pd.DataFrame, stored: pd.DataFrame) -> pd.Series:
    """Return which of `rows` are already in `stored`."""
    stored = stored.assign(who=steward_key(stored["steward"]))
    latest = stored.drop_duplicates([*PAIR, "who"], keep="last")
    same = [*PAIR, "who", "verdict", "why", "blind"]
    again = pd.MultiIndex.from_frame(rows[same].astype("str")).isin(pd.MultiIndex.from_frame(latest[same].astype("str")))
    filed = [*PAIR, "who", "origin"]
    files = stored.dropna(subset=["origin"])
    before = pd.MultiIndex.from_frame(rows[filed].astype("str")).isin(pd.MultiIndex.from_frame(files[filed].astype("str")))
    return pd.Series(again | (before & rows["origin"].notna().to_numpy()), index=rows.index)


def read(registry: Registry) -> pd.DataFrame:
    """Read all judgements in the order of entry: columns `JUDGEMENT`."""
    with registry.read() as session:
        return _stored_judgements(session)


def _stored_judgements(session: Session) -> pd.DataFrame:
    names = {"id": "id", **{c: _STORED.get(c, c) for c in JUDGEMENT[1:]}}
    rows = session.execute(select(*(getattr(Judgement, names[c]) for c in JUDGEMENT)).order_by(Judgement.id)).all()
    text_columns = dict.fromkeys([*PAIR, "verdict", "steward", "why", "model", "origin"], "str")
    frame = pd.DataFrame([tuple(row) for row in rows], columns=JUDGEMENT)
    return frame.astype({**text_columns, "id": "int64", "weight": "float64", "blind": "bool"})


def effective(judgements: pd.DataFrame) -> pd.DataFrame:
    """The current verdict on each pair: `PAIR`, verdict, in the order of the latest judgement.

    judgements: `PAIR`, verdict, steward, in the order of entry (`read`). Verdicts: `same`, `different`; `proposed` where one steward
    proposes `same`; `unsure` where no steward decided; `disputed` where stewards' latest judgements are both for and against. A pair
    with all judgements withdrawn is absent.
    """
    rows = order_pairs(judgements[[*PAIR, "verdict", "steward"]])
    rows = rows.assign(who=steward_key(rows["steward"]), place=np.arange(len(rows)))
    rows = rows.drop_duplicates([*PAIR, "who"], keep="last")
    rows = rows[rows["verdict"] != "withdrawn"]
    for verdict in ("same", "different", PROPOSED):
        rows[verdict] = rows["verdict"] == verdict
    counts = {name: (name, "sum") for name in ("same", "different", PROPOSED)}
    pairs = rows.groupby(PAIR, sort=False).agg(**counts, place=("place", "max")).reset_index()
    different, proposed = pairs["different"] > 0, pairs[PROPOSED] > 0
    same = (pairs["same"] > 0) | (pairs[PROPOSED] > 1)
    chosen = [(same | proposed) & different, same, different, proposed]
    pairs["verdict"] = np.select(chosen, ["disputed", "same", "different", PROPOSED], "unsure")
    pairs = pairs.sort_values("place", kind="stable").reset_index(drop=True)
    return pairs[[*PAIR, "verdict"]].astype("str")
