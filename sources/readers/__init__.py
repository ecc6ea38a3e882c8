"""File in, text out: delimited text, workbook, XML, database. Readers give text and positions and never judge a value."""
