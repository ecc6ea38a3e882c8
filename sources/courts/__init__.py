"""The Kosovo Judicial Council: contract, reader, mapping. Nothing outside this folder knows its form."""
