"""The Kosovo Judicial Council: contract, reader, mapping. No code outside this folder knows its format."""
