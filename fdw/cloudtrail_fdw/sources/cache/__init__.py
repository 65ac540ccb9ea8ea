"""Log events that were read once."""
