"""The same enrichment by a client: boto3, json.loads, maxminddb, and AWS's ranges by ipaddress.

    client_enrichment.py ENDPOINT LOG_GROUP

Answers are remembered for repeated addresses. The data files are those of CLOUDTRAIL_FDW_DATA; the
ranges are left out of the time, for a scan of them for each address would be all of it.
"""

import json
import os
import sys
import time

import boto3
import maxminddb

endpoint, group = sys.argv[1:3]
folder = os.environ["CLOUDTRAIL_FDW_DATA"]
client = boto3.client("logs", endpoint_url=endpoint)
client.describe_log_groups(limit=1)
cities = maxminddb.open_database(f"{folder}/geolocation.mmdb")
systems = maxminddb.open_database(f"{folder}/asn.mmdb")
cpu, wall = time.process_time(), time.perf_counter()
known, counts, events = {}, [0] * 5, 0
for page in client.get_paginator("filter_log_events").paginate(logGroupName=group):
    for event in page["events"]:
        events += 1
        record = json.loads(event["message"])
        text = record["sourceIPAddress"]
        if text not in known:
            try:
                place, system = cities.get(text) or {}, systems.get(text) or {}
            except ValueError:
                place, system = {}, {}
            known[text] = (
                place.get("country", {}).get("iso_code"),
                place.get("city", {}).get("names", {}).get("en"),
                system.get("autonomous_system_organization"),
            )
        for number, value in enumerate((record["eventTime"], record["eventName"], *known[text])):
            counts[number] += value is not None
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
print(json.dumps({"cpu": cpu, "wall": wall, "events": events, "counts": counts}))
