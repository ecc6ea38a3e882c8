"""Why two records were joined, or not, and what a figure is made of: explanations for stewards and analysts.

Belongs here: gathering what the registry, the lake and the warehouse already say about one person, case, pair or figure, as text and as
one page. Does not belong here: any decision or count. `linkage` alone knows how `pipelines.linkage` is asked, `counting` alone how
`warehouse.count` is.
"""
