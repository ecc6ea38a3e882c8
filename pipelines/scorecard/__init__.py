"""The scorecard: twelve quarters of an institution's quality, against its own tolerance and its own past, as a page to read and print.

Belongs here: the page in three languages, its words and looks, writing it. Does not belong here: the counting (`warehouse/count/quality`,
the table `quality`), checks in Dagster (`pipelines/checks/quality`), what is wrong with single records (`pipelines/feedback`).

There is no page with several institutions on it, and no rank: a court is compared with itself.
"""
