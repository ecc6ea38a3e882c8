"""Landing: store every delivered file byte for byte, with a receipt for each delivery, and findings on the inbox.

Does not belong here: reading the content of files (`sources`).
"""

from __future__ import annotations

from pipelines.landing.ingest import LandingReport, land_deliveries
from pipelines.landing.receipts import LandedDelivery, list_landed_deliveries

__all__ = ["LandedDelivery", "LandingReport", "land_deliveries", "list_landed_deliveries"]
