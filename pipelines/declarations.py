"""Everything that is declared, held against its shape before anything is done: a run that ends over a slip of the pen ends at once.

Belongs here: which declarations there are. Does not belong here: what each may say (the modules that read them).
"""

from __future__ import annotations


def check() -> None:
    """Read contracts, rules, agreements and indicators. Raises `HarmoniaError` with file, key, value and way out."""
    from pipelines.comparison.agreements import matrix
    from schemas.findings import rules
    from sources.contract import institutions
    from warehouse.indicators import indicators
    from warehouse.indicators.catalogue import catalogue

    for read in (institutions, rules, matrix, indicators, catalogue):
        read()
