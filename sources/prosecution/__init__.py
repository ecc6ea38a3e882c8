"""The State Prosecutor: contract, reader, mapping. No code outside this folder knows its format."""
