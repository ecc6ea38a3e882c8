"""What must the data look like? Canonical vocabulary, delivered tables, code lists, quality rules. No movement of data here."""
