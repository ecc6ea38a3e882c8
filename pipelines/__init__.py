"""How does the data move? The stages that each record passes, and the Dagster assets over them. No file formats, no counting rules."""
