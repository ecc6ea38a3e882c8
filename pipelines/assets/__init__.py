"""The stages of the pipeline as Dagster assets, one module per stage.

The order is `pull` → `landing` → `institution_stages` (read, validate, record status, harmonise: once per institution) → `union` →
`linkage` → `comparison` → `statistics` → `publication`. Dagster groups the assets by stage. Helpers: `versions` (skipping unchanged
stages), `delivery_frames` and `delivery_batches` (work by delivery), `finding_states`, `feedback_batches`.

Belongs here: which stage needs which, and the metadata of its materialisation (counts and small tables: never a name, a birth date, a
personal number or a cell). Does not belong here: what a stage does; that is in the module that the asset calls.
"""
