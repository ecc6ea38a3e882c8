"""Previews are computed one at a time: whose turn it is, and who no longer waits.

A steward who judges quickly leaves pages whose previews were not computed yet. Their requests end at once, so that they hold no thread of
the server. Does not belong here: the preview (`harmonia.review.consequence`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_LOOKED_AGAIN = 0.1  # seconds
_turn = Lock()
_latest: dict[str, str] = {}  # steward -> the pair whose preview was asked for last


@contextmanager
def my_turn(steward: str, pair: str) -> Iterator[bool]:
    """Wait for the turn and keep it for the block. False, without it, as soon as the steward asks for another pair."""
    _latest[steward] = pair
    while not _turn.acquire(timeout=_LOOKED_AGAIN):
        if _latest[steward] != pair:
            yield False
            return
    try:
        yield True
    finally:
        _turn.release()
