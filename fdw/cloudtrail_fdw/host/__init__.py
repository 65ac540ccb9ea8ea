"""What stands between PostgreSQL and the tables: one session, and a face for each kind of host."""
