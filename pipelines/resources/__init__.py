"""What the assets use: the workplace (inbox, home, registry, warehouse), the lake, processes and memory."""
