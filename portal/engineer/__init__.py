"""The pages of engineers: all deliveries with links to Dagster, the latest runs, and the health of the installation."""
