"""Erasure: remove a person's data from every store without changing figures.

Belongs here: orders (`orders`), dry run and execution (`dry_run`, `execute`), redaction of the person's rows (`rows`, `birth_dates`), the
file that is stored in place of removed files (`reading`), judgements that preserve links (`link_constraints`), the search for remaining
data (`search`). Does not belong here: validation of redacted rows (`pipelines.validation.redacted_rows`), retention periods
(`harmonia.operations.retention`).

Design: docs/decisions/0011-erasure.md.
"""
