"""A log event, and its text as values."""
