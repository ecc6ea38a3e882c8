"""The stages of the pipeline as Dagster assets, one module per stage.

The order is `pull` → `landing` → `institution_stages` (read, validate, record status, harmonise: once per institution) → `union` →
`linkage` → `comparison` → `statistics` → `publication`. Dagster groups the assets by stage. The other modules are helpers: `versions` skips
unchanged stages; `delivery_frames` and `delivery_batches` process deliveries one by one or in batches; `finding_states` and
`feedback_batches` do so for findings and feedback.

Belongs here: which stage needs the output of which other stage, and the metadata that an asset shows in Dagster (counts and small tables:
never a name, a birth date, a personal number or a delivered value). Does not belong here: what a stage does; that is in the module that the
asset calls.
"""
