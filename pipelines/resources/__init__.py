"""What the assets work with: the workplace (inbox, home, registry, warehouse), the lake, processes and memory."""
