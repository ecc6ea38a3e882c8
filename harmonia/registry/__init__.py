"""The registry: the database with what cannot be rebuilt from deliveries.

It contains the list of received deliveries, the answers to findings, the ids of cases and persons, the judgements of stewards, and more.

Belongs here: its tables (`tables.py`) and their migrations, opening it (`connection.py`), queries and updates (`ledger.py`, `pulls.py`,
`identity.py`), seals that reveal changes made by other programs (`seal.py`, `published_seal.py`). Does not belong here: reading delivered
files, record linkage.
"""

from __future__ import annotations

from harmonia.registry.connection import Registry, open_registry

__all__ = ["Registry", "open_registry"]
