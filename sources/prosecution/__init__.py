"""The State Prosecutor: contract, reader, mapping. Nothing outside this folder knows its form."""
