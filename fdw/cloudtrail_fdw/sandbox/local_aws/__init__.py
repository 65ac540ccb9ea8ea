"""A CloudWatch Logs, CloudTrail and STS of one's own, on this machine, over real HTTP.

It plays the parts of AWS that the product asks, for an unmodified boto3 client with
``endpoint_url``, and what only a real service does otherwise: quota, empty pages, failures.
Start it with ``python -m cloudtrail_fdw.sandbox.local_aws``.
"""
