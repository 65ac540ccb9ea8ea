"""The control API of the sandbox, under ``/_sandbox/``; every answer is JSON.

GET  stats                          counts since the start or the last reset
GET  requests                       the last 1,000 calls: action, access_key_id, parameters
GET  faults                         every fault: its sentence, and whether it is on
GET  dns                            {"queries": {"PTR": n, ...}} of the name server
POST reset-stats                    sets all counts to 0 and forgets the requests
POST append[?log-group=&class=&region=]  body: lines of events, delivered now at the latest
POST fault?name=&on=1[&action=]     switches a fault, for one action only if given
POST dns                            body: JSON of dns_server.Zone.change
POST trail                          body: JSON of trails.Trail.change
POST shutdown                       ends the process
"""

from __future__ import annotations

import asyncio
import json

from cloudtrail_fdw.sandbox import events
from cloudtrail_fdw.sandbox.dns_server import Zone
from cloudtrail_fdw.sandbox.local_aws.account import Account, Stats
from cloudtrail_fdw.sandbox.local_aws.faults import FAULTS
from cloudtrail_fdw.sandbox.local_aws.http_server import Request, Response
from cloudtrail_fdw.sandbox.local_aws.store import REGION

PREFIX = "/_sandbox/"


def control(request: Request, account: Account, zone: Zone, stop: asyncio.Event) -> Response:
    """Answer one call of the control API."""
    if "origin" in request.headers:
        return reply({"error": "Not for web pages."}, 403)
    command = request.path[len(PREFIX) :]
    if request.method == "GET":
        answers = {
            "stats": account.stats.shape,
            "requests": lambda: list(account.requests),
            "faults": lambda: faults_shape(account),
            "dns": zone.stats,
        }
        if command in answers:
            return reply(answers[command]())
    elif request.method == "POST":
        return post(command, request, account, zone, stop)
    return reply({"error": f"No such call: {request.method} {request.path}"}, 404)


def post(
    command: str, request: Request, account: Account, zone: Zone, stop: asyncio.Event
) -> Response:
    """The calls that change something."""
    if command == "reset-stats":
        account.stats = Stats()
        account.requests.clear()
        zone.queries.clear()
    elif command == "append":
        return append(request, account)
    elif command == "fault":
        return switch(request, account)
    elif command in ("dns", "trail"):
        changed = zone if command == "dns" else account.trail
        try:
            changed.change(json.loads(request.body))
        except (ValueError, TypeError, AttributeError) as error:
            return reply({"error": f"Not a change of the {command}: {error}"}, 400)
    elif command == "shutdown":
        stop.set()
    else:
        return reply({"error": f"No such call: POST {request.path}"}, 404)
    return reply({})


def append(request: Request, account: Account) -> Response:
    """Deliver more events, into the group that is named, which is made if need be."""
    name = request.query.get("log-group", account.group.name)
    try:
        group = account.create(name, request.query.get("class", "STANDARD"),
                               request.query.get("region", REGION))  # fmt: skip
    except ValueError as error:
        return reply({"error": str(error)}, 400)
    before = group.newest if group.events else None
    messages = events.split(request.body)
    fresh = events.deliver(messages, first_index=len(group.events), before=before)
    return reply({"events": group.add(events.cap(fresh, events.now()))})


def switch(request: Request, account: Account) -> Response:
    """Switch a fault on or off."""
    name = request.query.get("name", "")
    try:
        on = {"1": True, "0": False}[request.query.get("on", "1")]
        account.faults.switch(name, on, request.query.get("action"))
    except KeyError:
        return reply({"error": f"No such fault: {name}", "faults": sorted(FAULTS)}, 404)
    return reply({"on": sorted(account.faults.on)})


def faults_shape(account: Account) -> dict[str, dict[str, object]]:
    """The table of faults with their state."""
    return {name: {"help": text, "on": name in account.faults.on} for name, text in FAULTS.items()}


def reply(shape: object, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(json.dumps(shape).encode() + b"\n", status)
