"""The commands query and psql: a server of one's own."""
