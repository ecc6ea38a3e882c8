"""What must the data look like? Canonical schema, delivered tables, code lists, quality rules. No data processing here."""
