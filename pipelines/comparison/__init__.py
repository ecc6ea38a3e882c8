"""Comparison between institutions: what only another institution's record shows, told as far as agreements allow.

Belongs here: evidence from the linkage (`evidence`, with `people`, `references`, `flows`), which of it may be told (`agreements`,
`telling`), how long it stands (`rounds`), a case that one register holds twice (`again`), what goes to a steward (`commands`).
Does not belong here: linking records (`pipelines.linkage`), what one delivery shows by itself (`pipelines.validate`), the life of findings
(`pipelines.feedback`).

Told are record, field and the document to check: never the other's value, its number, its name, or how the two differ.
"""
