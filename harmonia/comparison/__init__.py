"""Comparison between institutions: findings that only another institution's record shows, reported as far as agreements allow.

Belongs here: evidence from linked records (`evidence`, with `people`, `references`, `flows`), which of it may be reported (`agreements`,
`permitted`), its quarterly snapshots (`snapshots`), cases registered twice in one register (`duplicates`), evidence for stewards
(`commands`). Does not belong here: linking records (`pipelines.linkage`), errors within one delivery (`pipelines.validation`), the
lifecycle of findings (`harmonia.feedback`).

A finding names the record, the field and the document to check. It never contains the other institution's value, number or name, and
never says how the two records differ.
"""
