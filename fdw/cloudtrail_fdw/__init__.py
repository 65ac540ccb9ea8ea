"""AWS CloudTrail as PostgreSQL tables, through Multicorn2."""
