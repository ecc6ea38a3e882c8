"""What is published, and how is it counted? Tables, indicators, counting. Nothing here reads a delivery.

Importing the package declares every table and view of the warehouse: `warehouse.tables.WAREHOUSE` is whole for whoever asks.
"""

import warehouse.star.tables
import warehouse.star.views  # noqa: F401
