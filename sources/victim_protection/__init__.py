"""The victim protection office of the State Prosecutor: contract, reader, mapping to the canonical schema."""
