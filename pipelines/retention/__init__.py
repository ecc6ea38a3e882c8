"""How long each store is kept, and removing what is past its time (`retention.yaml`)."""
