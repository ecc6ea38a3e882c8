"""Clerical review: stewards judge pairs of records, and blind samples measure the linkage.

Belongs here: the queue of doubtful pairs, judgements, workbooks for stewards, blind samples and the precision and recall estimated from
them. Does not belong here: linkage, which must obey the current judgements (`pipelines.linkage.constraints`).

The most important modules are `pairs` (ids of pairs), `judgements` (entering and combining judgements), `published` (reading the last run),
`queue` with `influence` (doubtful pairs), `describe` (records side by side), `workbook` and `intake` (writing and reading workbooks),
`sampling` and `estimating` (blind samples), and `commands` (the command line).
"""
