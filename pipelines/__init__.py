"""The stages that each record passes, and the Dagster assets over them. No file formats and no counting rules here."""
