"""The scorecard: a page on an institution's data quality over twelve quarters, compared with its own tolerance and its own past.

Belongs here: the page in three languages, its texts and layout, writing it. Does not belong here: the counting
(`warehouse/count/quality`, the table `quality`), checks in Dagster (`pipelines/checks/quality`), findings on single records
(`harmonia/feedback`).

No page shows several institutions or a ranking: an institution is compared only with itself.
"""
