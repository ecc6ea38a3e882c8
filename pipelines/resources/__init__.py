"""What do the assets work with? The work place (inbox, home, registry, warehouse) and the lake that keeps what they make."""
