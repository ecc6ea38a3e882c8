"""How many examples a property is tried with: a part of them in the quick tests, all of them with the slow ones (`make test-slow`)."""

from __future__ import annotations

import os

WHOLE = os.environ.get("HARMONIA_TEST_VOLUME") == "whole"


def examples(number: int) -> int:
    """Of so many examples those that are tried now."""
    return number if WHOLE else max(5, number // 4)
