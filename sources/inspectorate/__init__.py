"""The Police Inspectorate of Kosovo: contract, reader, mapping. No code outside this folder knows its format."""
