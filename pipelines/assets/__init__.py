"""The stages of the pipeline as Dagster assets, one module per stage.

`landing` -> `institution` (read, validate, current, harmonise: once per institution) -> `union` -> `linking` -> `comparing` ->
`counting` -> `publishing`. Dagster groups them by stage.

Belongs here: which stage needs which, and the metadata of its materialisation (counts and small tables: never a name, a birth date, a
personal number or a cell). Does not belong here: what a stage does; that is in the module that the asset calls.
"""
