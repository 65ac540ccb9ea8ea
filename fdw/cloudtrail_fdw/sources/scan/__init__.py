"""All events of a window, from the cache and from AWS."""
