"""Declarations of what data must look like: canonical schema, delivered tables, code lists, quality rules. No data is processed here."""
