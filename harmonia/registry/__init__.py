"""The registry: a database of deliveries, answers to findings, ids of cases and persons, and judgements.

It cannot be rebuilt from deliveries.
Belongs here: its tables (`tables.py`) and their migrations, opening it (`connection.py`), queries and updates (`ledger.py`, `pulls.py`,
`identity.py`), seals that reveal changes made by other programs (`seal.py`, `published_seal.py`). Does not belong here: reading delivered
files, record linkage.
"""

from __future__ import annotations

from harmonia.registry.connection import Registry, open_registry

__all__ = ["Registry", "open_registry"]
