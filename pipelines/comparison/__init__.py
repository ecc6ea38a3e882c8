"""Comparison between institutions: what only another institution's record shows, told as far as agreements allow.

Belongs here: evidence from the linkage (`people`, `references`, `flows`), which of it may be told (`agreements`, `telling`), how long it
stands (`rounds`), what goes to a steward (`commands`). Does not belong here: linking records (`pipelines.linkage`), what one delivery
shows by itself (`pipelines.validate`), the life of findings and their pages (`pipelines.feedback`).

Told are record, field and the document to check: never the other's value, its number, its name, or how the two differ.
"""

from pipelines.comparison.evidence import EVIDENCE, gather
from pipelines.comparison.telling import told, withheld

__all__ = ["EVIDENCE", "gather", "told", "withheld"]
