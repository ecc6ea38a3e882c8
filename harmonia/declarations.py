"""Validation of all declarations before a run starts, so that a typo stops the run at once.

Belongs here: the list of declarations. Does not belong here: their schemas (the modules that read them).
"""

from __future__ import annotations

from collections.abc import Collection

from schemas.declared import DeclarationError


def check() -> None:
    """Read contracts, rules, agreements and indicators. Raises `HarmoniaError` with file, key, value and remedy."""
    from harmonia.comparison.agreements import load_agreements
    from schemas.findings import rules
    from sources.contract import bearers, institutions
    from warehouse.indicators import indicators
    from warehouse.indicators.catalogue import catalogue

    for read in (institutions, bearers, rules, load_agreements, indicators):
        read()
    check_coverage({name for one in catalogue().values() for name in one.institutions})


def check_coverage(counted: Collection[str]) -> None:
    """Raise `DeclarationError` for an institution that no indicator counts: figures would silently lack it."""
    from sources import contract

    for name in contract.institutions():
        if name not in counted:
            remedy = "list indicators under `counts_in` in its contract, add it to the indicator files, or remove its folder"
            raise DeclarationError(f"sources/{name}: no indicator counts it: {remedy}")
