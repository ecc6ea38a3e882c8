"""Retention: how long each store keeps its items (`retention.yaml`), and the removal of expired items."""
