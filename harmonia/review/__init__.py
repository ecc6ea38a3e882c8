"""Clerical review: stewards judge pairs of records, and blind samples measure how accurate linkage is.

Belongs here: the queue of doubtful pairs, judgements, workbooks for stewards, blind samples, and the precision and recall that are
estimated from them. Does not belong here: linkage, which obeys current judgements (`pipelines.linkage.constraints`).

The modules: `pairs` (ids of pairs), `judgements` (entering and reading judgements, current verdicts), `published` (the last run), `queue`
with `influence`, `describe` (records side by side), `workbook` and `intake`, `sampling` and `estimating`, `commands`.
"""
