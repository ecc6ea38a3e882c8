"""The Correctional Service of Kosovo: contract, reader, mapping. Nothing outside this folder knows its form."""
