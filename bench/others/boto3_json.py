"""The script that anybody would write: boto3's paginator and json.loads.

    boto3_json.py ENDPOINT LOG_GROUP [CALLS_A_SECOND]

With a rate, its calls are spaced to keep it: one chain under a limiter.
"""

import json
import sys
import time

import boto3

endpoint, group = sys.argv[1:3]
pause = 1 / float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
client = boto3.client("logs", endpoint_url=endpoint)
client.describe_log_groups(limit=1)
due = 0.0


def wait(**_):
    """Keep the rate."""
    global due
    now = time.monotonic()
    time.sleep(max(0.0, due - now))
    due = max(due, now) + pause


if pause:
    client.meta.events.register("before-call.cloudwatch-logs.FilterLogEvents", wait)
cpu, wall = time.process_time(), time.perf_counter()
counts = [0] * 6
calls = events = 0
for page in client.get_paginator("filter_log_events").paginate(logGroupName=group):
    calls += 1
    for event in page["events"]:
        events += 1
        record = json.loads(event["message"])
        six = (
            record["eventTime"], record["eventName"], record["eventSource"],
            record["userIdentity"].get("userName"), record["sourceIPAddress"],
            record.get("errorCode"),
        )  # fmt: skip
        for place, value in enumerate(six):
            counts[place] += value is not None
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
print(json.dumps({"cpu": cpu, "wall": wall, "calls": calls, "events": events, "counts": counts}))
