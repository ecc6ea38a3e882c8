"""What may never be lost: the ledger of deliveries, the answers to findings, the identity register, judgements.

Belongs here: the tables, their migrations and the questions asked of them. Does not belong here: reading files, deciding who
is who. `tables.py` is the form, `connection.py` opens it, `ledger.py` and `identity.py` ask and write.
"""

from __future__ import annotations

from pipelines.registry.connection import Registry, open_registry

__all__ = ["Registry", "open_registry"]
