"""How does the data move? The stages of a record's way and the Dagster assets over them. No file formats, no counting rules."""
