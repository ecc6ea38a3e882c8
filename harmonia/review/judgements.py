"""Judgements of stewards on pairs of records: enter them, read them, combine them into one verdict per pair.

Belongs here: what a judgement consists of; the rule that combines several judgements into one verdict. Does not belong here: who may
judge, how linkage uses verdicts.

A judgement is never changed or deleted. A steward's latest judgement on a pair counts; `withdrawn` withdraws the earlier one. If stewards
disagree, none of their judgements has an effect, and the pair is disputed. Where two stewards must agree, the verdict `same` is entered
as `proposed`; it takes effect when a second steward also proposes it or judges `same`.
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
MAX_LENGTH = {"steward": 100, "why": 2000}
_STORED = {"entity": "kind", "key_a": "record_key_a", "key_b": "record_key_b"}


def normalise_steward_or_reason(field_name: str, value: str) -> str:
    """Return the name of a steward or a reason (`value`) on one line and with single spaces.

    `field_name` is `steward` or `why`. Raises `HarmoniaError` if the value is empty, too long or contains control characters.
    """
    flat = " ".join(unicodedata.normalize("NFC", value).split())
    if not flat:
        raise HarmoniaError(f"{field_name} is empty: " + ("name who judges" if field_name == "steward" else "give a reason (--why)"))
    if len(flat) > MAX_LENGTH[field_name]:
        raise HarmoniaError(f"{field_name} has {len(flat)} characters, the limit is {MAX_LENGTH[field_name]}: shorten it")
    if any(unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co") for letter in flat):
        raise HarmoniaError(f"{field_name} contains unprintable characters: type it again")
    return flat


def normalise_steward_names(names: pd.Series) -> pd.Series:
    """Normalise the names of stewards, so that names that differ only in case and spaces are equal."""
    return names.astype("str").str.casefold().str.split().str.join(" ")


def enter_judgements(registry: Registry, judgements: pd.DataFrame) -> pd.Series:
    """Enter judgements in one transaction; return for each row whether it was entered. The result is indexed as `judgements`.

    `judgements` has the columns `PAIR`, verdict, steward, why, model, weight, blind and origin (SHA-256 of the workbook; null if the
    judgement was not imported). A judgement is not entered if it equals the steward's latest one on the pair. It is also not entered if a
    judgement of this steward on the pair was already imported from the same workbook.
    Raises `HarmoniaError` if another process has locked the registry.
    """
    rows = order_pairs(judgements).assign(who=normalise_steward_names(judgements["steward"]))
    with registry.write() as session:
        if session.get_bind().dialect.name == "postgresql":  # one writer at a time, as in SQLite
            session.execute(text("LOCK TABLE judgement IN SHARE ROW EXCLUSIVE MODE"))
        is_new = ~_find_stored_judgements(rows, _read_stored_judgements(session))
        moment = now()
        columns = [*PAIR, "verdict", "steward", "why", "model", "weight", "blind", "origin"]
        new = rows.loc[is_new, columns].rename(columns=_STORED).astype(object)
        new = new.where(new.notna(), None)
        if len(new):
            session.execute(insert(Judgement), convert_frame_to_rows(new.assign(decided_at=moment)))
    return is_new


def convert_frame_to_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of `frame` as a list of dicts, as SQLAlchemy's `insert` expects them."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _find_stored_judgements(new_judgements: pd.DataFrame, stored_judgements: pd.DataFrame) -> pd.Series:
    """Return for each new judgement whether it is stored already and need not be entered, as `enter_judgements` says."""
    stored_judgements = stored_judgements.assign(who=normalise_steward_names(stored_judgements["steward"]))
    latest = stored_judgements.drop_duplicates([*PAIR, "who"], keep="last")
    same = [*PAIR, "who", "verdict", "why", "blind"]
    again = pd.MultiIndex.from_frame(new_judgements[same].astype("str")).isin(pd.MultiIndex.from_frame(latest[same].astype("str")))
    filed = [*PAIR, "who", "origin"]
    files = stored_judgements.dropna(subset=["origin"])
    before = pd.MultiIndex.from_frame(new_judgements[filed].astype("str")).isin(pd.MultiIndex.from_frame(files[filed].astype("str")))
    return pd.Series(again | (before & new_judgements["origin"].notna().to_numpy()), index=new_judgements.index)


def read_judgements(registry: Registry) -> pd.DataFrame:
    """Read all judgements, in the order of entry. Columns out: `JUDGEMENT`."""
    with registry.read() as session:
        return _read_stored_judgements(session)


def _read_stored_judgements(session: Session) -> pd.DataFrame:
    names = {"id": "id", **{c: _STORED.get(c, c) for c in JUDGEMENT[1:]}}
    rows = session.execute(select(*(getattr(Judgement, names[c]) for c in JUDGEMENT)).order_by(Judgement.id)).all()
    text_columns = dict.fromkeys([*PAIR, "verdict", "steward", "why", "model", "origin"], "str")
    frame = pd.DataFrame([tuple(row) for row in rows], columns=JUDGEMENT)
    return frame.astype({**text_columns, "id": "int64", "weight": "float64", "blind": "bool"})


def combine_judgements(judgements: pd.DataFrame) -> pd.DataFrame:
    """Combine the judgements of all stewards into the current verdict on each pair. The result has the columns `PAIR` and verdict.

    `judgements` has the columns `PAIR`, verdict and steward, in the order of entry. The pairs of the result are in the order of their
    latest judgement. A pair is left out if all its judgements are withdrawn.
    The verdicts are `same`; `different`; `proposed` if only one steward proposed `same`; `unsure` if no steward decided; and `disputed`
    if the latest judgements of stewards contradict each other.
    """
    rows = order_pairs(judgements[[*PAIR, "verdict", "steward"]])
    rows = rows.assign(who=normalise_steward_names(rows["steward"]), place=np.arange(len(rows)))
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
