"""The pages of engineers: deliveries beside Dagster's runs, health."""
