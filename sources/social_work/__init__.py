"""The centres for social work with the shelters: contract, reader, mapping to the canonical schema."""
