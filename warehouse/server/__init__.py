"""Apply the access matrix to a PostgreSQL server, compare the two, and read the server's log of requests."""
