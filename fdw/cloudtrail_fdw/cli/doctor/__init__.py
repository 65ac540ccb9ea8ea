"""The command doctor: what is missing, stale or not trusted, in plain words."""
