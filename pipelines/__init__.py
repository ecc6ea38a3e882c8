"""The stages through which each record passes, and the Dagster assets that run them. No file formats and no counting rules here."""
