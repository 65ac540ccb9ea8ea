"""Empty databases for commands to work on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from urllib.parse import urlsplit

import psycopg
import pytest

from servers import Sandbox

NewDatabase = Callable[..., str]


@pytest.fixture
def new_database(sample: Sandbox) -> Iterator[NewDatabase]:
    """Make empty databases, of any encoding, on a sandbox's server; the superuser's DSN."""
    names: list[str] = []
    numbers = count()
    admin = sample.state["dsn"]

    def make(encoding: str = "UTF8") -> str:
        name = f"test_cli_{next(numbers)}"
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name}".encode())
            connection.execute(
                f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' "
                "TEMPLATE template0".encode()
            )
        names.append(name)
        return urlsplit(admin)._replace(path=f"/{name}").geturl()

    yield make
    with psycopg.connect(admin, autocommit=True) as connection:
        for name in names:
            connection.execute(f"DROP DATABASE {name}".encode())
        for role in ("test_reader", "analyst", '"Odd Reader"'):
            connection.execute(f"DROP ROLE IF EXISTS {role}".encode())
