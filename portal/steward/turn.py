"""Previews are computed one at a time. This module decides which steward is next, and which requests are no longer needed.

A steward who judges quickly leaves pages whose previews were not computed yet. The requests of these pages are answered immediately, so
that they occupy no thread of the server. Does not belong here: the preview (`harmonia.review.consequence`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_POLL_SECONDS = 0.1  # seconds between two attempts
_turn = Lock()
_latest: dict[str, str] = {}  # steward -> the pair whose preview was asked for last


@contextmanager
def wait_for_turn(steward: str, pair: str) -> Iterator[bool]:
    """Wait until no other preview is being computed. No other preview can begin during the block.

    Yields false as soon as the steward asks for another pair. The block then has no turn, and must not compute a preview.
    """
    _latest[steward] = pair
    while not _turn.acquire(timeout=_POLL_SECONDS):
        if _latest[steward] != pair:
            yield False
            return
    try:
        yield True
    finally:
        _turn.release()
