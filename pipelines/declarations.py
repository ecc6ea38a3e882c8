"""Everything that is declared, held against its shape before anything is done: a run that ends over a slip of the pen ends at once.

Belongs here: which declarations there are. Does not belong here: what each may say (the modules that read them).
"""

from __future__ import annotations

from collections.abc import Collection

from schemas.declared import DeclarationError


def check() -> None:
    """Read contracts, rules, agreements and indicators. Raises `HarmoniaError` with file, key, value and way out."""
    from pipelines.comparison.agreements import matrix
    from schemas.findings import rules
    from sources.contract import bearers, institutions
    from warehouse.indicators import indicators
    from warehouse.indicators.catalogue import catalogue

    for read in (institutions, bearers, rules, matrix, indicators):
        read()
    each_counts({name for one in catalogue().values() for name in one.institutions})


def each_counts(counted: Collection[str]) -> None:
    """Raises `DeclarationError` for an institution that no indicator counts: figures would be published without it, in silence."""
    from sources import contract

    for name in contract.institutions():
        if name not in counted:
            way_out = "name indicators under `counts_in` of its contract, or it in their files, or move its folder away"
            raise DeclarationError(f"sources/{name}: no indicator counts it: {way_out}")
