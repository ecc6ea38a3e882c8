"""A PostgreSQL server and the access matrix: making it so, comparing, reading its log."""
