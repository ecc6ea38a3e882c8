"""Review: what stewards say about the machine's decisions, and what follows from it.

Belongs here: the queue of doubtful pairs, judgements as records, workbooks for stewards, blind samples and what they say about
precision and recall. Does not belong here: linkage itself, which takes the judgements that stand as given
(`pipelines.linkage.constraints`). The parts: `pairs` (one name for a pair), `judgements` (enter, read, what stands), `published` (what
the last run left), `queue` with `influence`, `describe` (records side by side), `workbook` and `intake`, `sampling` and
`estimating`, `commands`.
"""
