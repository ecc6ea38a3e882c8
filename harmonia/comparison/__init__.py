"""Comparison between institutions: find errors in the records of one institution that only the records of another institution show.

Belongs here: evidence from linked records (`evidence`, with `people`, `references`, `flows`), which evidence agreements allow to report
(`agreements`, `permitted`), its quarterly snapshots (`snapshots`), cases registered twice in one register (`duplicates`), evidence for
stewards (`commands`). Does not belong here: linking records (`pipelines.linkage`), errors within one delivery (`pipelines.validation`), the
lifecycle of findings (`harmonia.feedback`).

A finding names the record, the field and the document to check. It never contains the value, number or name in the other institution's
record, and does not say how the two records differ.
"""
