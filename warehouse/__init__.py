"""What is published, and how is it counted? Tables, indicators, counting. Nothing here reads a delivery.

Importing the package declares every table and view, so that `warehouse.tables.WAREHOUSE` is complete.
"""

import warehouse.star.tables
import warehouse.star.views  # noqa: F401
