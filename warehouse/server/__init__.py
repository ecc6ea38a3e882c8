"""A PostgreSQL server and the access matrix: applying, comparing, reading its log."""
