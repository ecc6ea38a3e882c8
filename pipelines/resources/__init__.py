"""The resources of the assets: the workplace (inbox, home, registry, warehouse), the lake, processes and memory."""
