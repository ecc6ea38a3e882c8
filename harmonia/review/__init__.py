"""Clerical review: stewards judge pairs of records, and blind samples measure the linkage.

Belongs here: the queue of doubtful pairs, judgements, workbooks for stewards, blind samples and the precision and recall estimated from
them. Does not belong here: linkage, which takes current judgements as constraints (`pipelines.linkage.constraints`). The parts: `pairs`
(ids of pairs), `judgements` (enter, read, current verdicts), `published` (the last run), `queue` with `influence`, `describe` (records
side by side), `workbook` and `intake`, `sampling` and `estimating`, `commands`.
"""
