"""What is published, and how is it counted? Tables, indicators, counting. Nothing here reads a delivery."""
