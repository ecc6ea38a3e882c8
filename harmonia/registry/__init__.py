"""The registry: ledger of deliveries, answers to findings, identity register, judgements. It cannot be rebuilt.

Belongs here: tables (`tables.py`), migrations, connection (`connection.py`), queries and updates (`ledger.py`, `identity.py`). Does not
belong here: reading files, record linkage.
"""

from __future__ import annotations

from harmonia.registry.connection import Registry, open_registry

__all__ = ["Registry", "open_registry"]
