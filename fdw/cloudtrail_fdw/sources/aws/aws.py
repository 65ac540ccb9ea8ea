"""AWS clients from settings, and calls that wait for as long as waiting may help."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Optional

from cloudtrail_fdw import interrupts
from cloudtrail_fdw.errors import FdwError, missing_package
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.recent import Recent
from cloudtrail_fdw.sources.aws.aws_errors import (
    EXPIRED,
    THROTTLED,
    error_code,
    failure,
    local_failure,
    may_pass,
)

if TYPE_CHECKING:
    from cloudtrail_fdw.sources.aws.budget import Budget
    from cloudtrail_fdw.sources.aws.call_rate import CallRate

CONNECT_SECONDS = 5
READ_SECONDS = 20
TRIES = 5  # in a row, for failures that may pass
# What the present thread's call has beside the parameters that its SDK knows.
EXTRA = threading.local()

MOST_CLIENTS = 32  # of half a megabyte, and a connection for each call at once


@dataclass
class Lent:
    """A client and how many calls it is in; it is closed when it has left and is in none."""

    client: Any
    calls: int = 0
    left: bool = False

    def leave(self) -> None:
        """Note that nobody will ask for it any more."""
        self.left = True
        self.close_if_over()

    def close_if_over(self) -> None:
        """Close its connections once nobody needs them."""
        if self.left and not self.calls:
            self.client.close()


LENDING = threading.Lock()
CLIENTS: Recent[tuple[object, ...], Lent] = Recent(MOST_CLIENTS, Lent.leave)


@contextlib.contextmanager
def client(settings: Settings, service: str, region: str = "") -> Iterator[Any]:
    """The boto3 client for ``service``, kept for others who ask the same as the same caller."""
    key = (*caller(settings), service, region)
    with LENDING:
        lent = CLIENTS.made(key, lambda: Lent(make_client(settings, service, region)))
        lent.calls += 1
    try:
        yield lent.client
    finally:
        with LENDING:
            lent.calls -= 1
            lent.close_if_over()


def caller(settings: Settings) -> tuple[str, ...]:
    """What a client is made of: who asks, with which credentials, and where."""
    return (
        settings.region, settings.profile, settings.role_arn, settings.external_id,
        settings.role_session_name, settings.endpoint_url, str(settings.use_fips),
        str(settings.use_dualstack), settings.aws_access_key_id, settings.aws_secret_access_key,
        settings.aws_session_token,
    )  # fmt: skip


def forget_clients() -> None:
    """Read credentials anew at the next call: those of files and environments do expire."""
    with LENDING:
        CLIENTS.clear()


@lru_cache(maxsize=1)
def loader() -> Any:
    """The services' descriptions, which take 10 MB each: one for all clients."""
    from botocore.loaders import create_loader

    return create_loader()


def new_session() -> Any:
    """A session of botocore's that reads descriptions no client has read before."""
    from botocore.session import get_session

    made = get_session()
    made.register_component("data_loader", loader())
    return made


def make_client(settings: Settings, service: str, region: str) -> Any:
    """A new client; retries are ours, so that a wait can be cancelled and a throttle counted."""
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise missing_package("boto3", error) from None
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": 1},
        use_fips_endpoint=settings.use_fips,
        use_dualstack_endpoint=settings.use_dualstack,
        ignore_configured_endpoint_urls=True,
        user_agent_extra="cloudtrail_fdw",
    )
    try:
        session = boto3.Session(
            botocore_session=new_session(),
            profile_name=settings.profile or None,
            region_name=region or settings.region or None,
            aws_access_key_id=settings.aws_access_key_id or None,
            aws_secret_access_key=settings.aws_secret_access_key or None,
            aws_session_token=settings.aws_session_token or None,
        )
        if settings.role_arn:
            session = assume_role(session, settings, config)
        made = session.client(service, config=config, endpoint_url=settings.endpoint_url or None)
    except BotoCoreError as error:
        raise local_failure(error) from None
    made.meta.events.register("before-parse.cloudwatch-logs.FilterLogEvents", keep_body)
    made.meta.events.register("before-call.cloudwatch-logs.FilterLogEvents", add_extra)
    make_wakeable(made)
    return made


def make_wakeable(made: Any) -> None:
    """Let a thread that waits for an answer be woken, by closing its connection.

    botocore has no way to end a call; these are the classes that its session makes connections of.
    """
    session = made._endpoint.http_session  # noqa: SLF001 - see above
    pools = getattr(session, "_pool_classes_by_scheme", {})
    for scheme, pool in pools.items():
        made_of = pool.ConnectionCls
        members = {"request": remembering(made_of.request),
                   "getresponse": in_one_piece(made_of.getresponse)}  # fmt: skip
        connection = type("WakeableConnection", (made_of,), members)
        pools[scheme] = type("WakeablePool", (pool,), {"ConnectionCls": connection})


def remembering(request: Callable[..., Any]) -> Callable[..., Any]:
    """A connection's ``request`` that tells how to wake the thread that waits for its answer."""

    def tracked(connection: Any, *arguments: Any, **named: Any) -> Any:
        def wake() -> None:
            with contextlib.suppress(OSError, TypeError):  # closed already, or not yet open
                # not the TLS socket's own shutdown, which is not for another thread's use
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

        interrupts.WAKERS[threading.current_thread()] = wake
        return request(connection, *arguments, **named)

    return tracked


def in_one_piece(getresponse: Callable[..., Any]) -> Callable[..., Any]:
    """A connection's ``getresponse`` whose body botocore gets whole, not in pieces of 64 KB."""
    from urllib3 import HTTPResponse

    class WholeResponse(HTTPResponse):
        def stream(self, *_: Any, **__: Any) -> Generator[bytes, None, None]:
            yield self.read(decode_content=False)

    def whole(connection: Any) -> Any:
        response = getresponse(connection)
        if type(response) is HTTPResponse:  # that of urllib3 1 is made later
            response.__class__ = WholeResponse
        return response

    return whole


def add_extra(params: Any, **_: Any) -> None:
    """Complete a request's JSON body, before it is signed."""
    extra = getattr(EXTRA, "parameters", None)
    if extra:
        params["body"] = json.dumps({**json.loads(params["body"]), **extra}).encode()


def keep_body(response_dict: Any, customized_response_dict: Any, **_: Any) -> None:
    """Botocore's ``before-parse``: keep a good answer's body from its slow shape parser."""
    if response_dict["status_code"] < 300:
        customized_response_dict["raw_body"] = response_dict["body"]
        response_dict["body"] = b"{}"


def assume_role(session: Any, settings: Settings, config: Any) -> Any:
    """A session of ``role_arn`` that renews its credentials by itself."""
    import boto3
    from botocore.credentials import (
        AssumeRoleCredentialFetcher,
        DeferredRefreshableCredentials,
    )

    def create(name: str, **arguments: Any) -> Any:
        return session.client(
            name, **{**arguments, "config": config, "endpoint_url": settings.endpoint_url or None}
        )

    extra = {"RoleSessionName": settings.role_session_name}
    if settings.external_id:
        extra["ExternalId"] = settings.external_id
    fetcher = AssumeRoleCredentialFetcher(
        create, session.get_credentials(), settings.role_arn, extra_args=extra
    )
    assumed = new_session()
    assumed._credentials = DeferredRefreshableCredentials(  # noqa: SLF001 - there is no setter
        method="assume-role", refresh_using=fetcher.fetch_credentials
    )
    return boto3.Session(botocore_session=assumed, region_name=session.region_name)


def invoke(
    settings: Settings, service: str, operation: str, stop: threading.Event, region: str = "",
    read: Callable[[Any], Any] = lambda answer: answer, *, budget: Optional[Budget] = None,
    rate: Optional[CallRate] = None, extra: Optional[dict[str, object]] = None, **parameters: Any,
) -> Any:  # fmt: skip
    """``read`` of one API call's answer, waited for through throttling and passing failures.

    Throttling is waited out for ``max_seconds``; other passing failures, among them a
    BadAnswerError of ``read``, are tried ``TRIES`` times. Each try takes a turn of ``rate``;
    ``extra`` are parameters that older SDKs do not know. Raises FdwError, or returns None once
    ``stop`` is set.
    """
    deadline = time.monotonic() + settings.max_seconds
    failures = waits = 0
    renewed = False
    while not stop.is_set():
        try:
            if rate is not None:
                rate.wait(stop)
            EXTRA.parameters = extra
            with client(settings, service, region) as asked:
                began = time.monotonic()
                answer = read(getattr(asked, operation)(**parameters))
            if rate is not None:
                rate.answered(time.monotonic() - began)
            return answer
        except FdwError:
            raise
        except Exception as error:  # noqa: BLE001 - botocore makes its own
            code = error_code(error)
            if code in EXPIRED and not renewed:
                renewed = True
                forget_clients()
                continue
            if budget is not None:
                budget.throttles += code in THROTTLED
                budget.retries += code not in THROTTLED
            if code in THROTTLED and time.monotonic() < deadline:
                waits += 1
                if rate is not None:
                    rate.throttled()
                stop.wait(pause(waits))
                continue
            failures += 1
            if stop.is_set():
                return None
            if not may_pass(error, code) or failures >= TRIES:
                raise failure(error, code, service, operation) from None
            stop.wait(pause(failures))
        finally:
            interrupts.WAKERS.pop(threading.current_thread(), None)
    return None


def pause(attempt: int) -> float:
    """Seconds to wait before another try: exponential with full jitter, 5 at most."""
    import random

    return random.uniform(0.05, min(5.0, 0.1 * 2**attempt))  # noqa: S311
