"""The readers of file formats: delimited text, workbook, XML, JSON, database. They return the cells of a file as text, with their
positions, and never validate a value."""
