"""Receiving deliveries: every file kept byte for byte, a receipt for every delivery, whatever is wrong told.

Belongs here: what happens to an inbox before anything is read. Does not belong here: the content of a file (`sources`).
"""

from __future__ import annotations

from pipelines.landing.ingest import LandingReport, land
from pipelines.landing.receipts import LandedDelivery, landed

__all__ = ["LandedDelivery", "LandingReport", "land", "landed"]
