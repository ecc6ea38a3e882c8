"""File in, text out: delimited text, workbook, XML, database. Readers return text and positions and never validate a value."""
