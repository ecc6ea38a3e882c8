"""The Kosovo Police: contract, reader, mapping. Nothing outside this folder knows its form."""
