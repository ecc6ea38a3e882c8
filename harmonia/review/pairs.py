"""Pairs of records and their ids, which do not depend on the order of the two records.

Belongs here: the canonical order of the two records, the id of a pair, parsing what a user types. Does not belong here: decisions on pairs.
"""

from __future__ import annotations

import base64
import hashlib
import re

import numpy as np
import pandas as pd

from harmonia.errors import HarmoniaError
from sources.contract import case_flow_positions, institutions

ENTITIES = ("case", "person")
PAIR = ["entity", "institution_a", "key_a", "institution_b", "key_b"]
_LETTERS = 12  # of base32: 60 bits; 10⁷ pairs have a collision once in 20,000 homes
_ID = re.compile(rf"(case|person)-[a-z2-7]{{{_LETTERS}}}")


def order_pairs(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with the two records of each pair in canonical order.

    This is by institution, in the order in which cases pass through the institutions, and then by record key. `frame` has the columns
    `PAIR` and possibly others.
    """
    rank = case_flow_positions()
    a, b = (frame[f"institution_{side}"].map(rank).fillna(len(rank)).to_numpy() for side in "ab")
    keys = [frame[c].astype("str").to_numpy(dtype=object) for c in ("institution_a", "key_a", "institution_b", "key_b")]
    same = (keys[0] == keys[2]) if len(frame) else np.empty(0, dtype=bool)
    turned = (a > b) | ((a == b) & ~same & (keys[0] > keys[2])) | (same & (keys[1] > keys[3]))
    out = frame.copy()
    for n, column in enumerate(PAIR[1:]):
        out[column] = np.where(turned, keys[(n + 2) % 4], keys[n])
    return out.astype(dict.fromkeys(PAIR, "str"))


def compute_pair_ids(frame: pd.DataFrame) -> pd.Series:
    """Compute the id of each pair of `frame`, e.g. `person-k7qx2m4tbz3a`. `frame` has the columns `PAIR`, as ordered by `order_pairs`.

    The id is a hash, which does not show the record keys.
    """
    rows = frame[PAIR].itertuples(index=False, name=None)
    return pd.Series([f"{parts[0]}-{_hash_parts(parts)}" for parts in rows], index=frame.index, dtype="str")


def _hash_parts(parts: tuple[str, ...]) -> str:
    digest = hashlib.sha256("\0".join(parts).encode("utf-8")).digest()
    return base64.b32encode(digest).decode("ascii").lower()[:_LETTERS]


def make_pair(entity: str, institution_a: str, key_a: str, institution_b: str, key_b: str) -> pd.DataFrame:
    """Make a frame of one row with a pair (columns `PAIR`), its two records in canonical order."""
    return order_pairs(pd.DataFrame([(entity, institution_a, key_a, institution_b, key_b)], columns=PAIR, dtype="str"))


def parse_pair(text: str) -> str | pd.DataFrame:
    """Parse a pair as a user types it.

    If the text is an id, it is returned unchanged. If it names two records, such as `person:police:KEY~courts:KEY`, they are returned as
    a frame of one row with the columns `PAIR`. Raises `HarmoniaError` if the text is neither.
    """
    typed = text.strip()
    if _ID.fullmatch(typed):
        return typed
    entity, colon, rest = typed.partition(":")
    sides = [side.partition(":") for side in rest.split("~")]
    is_valid = colon and entity in ENTITIES and len(sides) == 2 and all(name in institutions() and key for name, _, key in sides)
    if not is_valid:
        raise HarmoniaError(
            f"[{typed}] is not a pair: use an id from `harmonia review list` (person-…, case-…) or two records as "
            "person:police:KEY~courts:KEY"
        )
    pair = make_pair(entity, sides[0][0], sides[0][2], sides[1][0], sides[1][2])
    if tuple(pair.iloc[0, 1:3]) == tuple(pair.iloc[0, 3:5]):
        raise HarmoniaError(f"[{typed}] names one record twice: a pair has two records")
    return pair
