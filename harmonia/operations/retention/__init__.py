"""Retention periods of each store (`retention.yaml`), and removal of expired items."""
