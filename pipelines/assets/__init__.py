"""The way of a record as Dagster assets, one module per reach of the way, in its order.

`landing` -> `institution` (read, validate, current, harmonise: once per institution) -> `together` -> `linking` -> `counting` ->
`publishing`. Each is a group of its own in Dagster's pages; so is each institution.

Belongs here: which stage needs which, and what its materialisation says about it (counts and small tables: never a name, a birth
date, a personal number or a cell). Does not belong here: what a stage does; that is in the module that the asset calls.
"""
