"""Starlette's test client and ours, as fixtures; ours has to send everything through the
engine."""

import pathlib
import sys
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient as StockClient
from testclient_app import app, happened


@pytest.fixture(scope="session")
def package(site: pathlib.Path):
    """The package under test, in this interpreter."""
    sys.path.insert(0, str(site))
    import fasterapi.testclient

    return fasterapi.testclient


@pytest.fixture(params=["starlette", "fasterapi"])
def make_client(request: pytest.FixtureRequest) -> Iterator[type[StockClient]]:
    happened.clear()
    if request.param == "starlette":
        yield StockClient
        return
    package = request.getfixturevalue("package")
    before, elsewhere = package.counters.served["asgi"], package.counters.elsewhere.total()
    yield package.TestClient
    assert package.counters.served["asgi"] > before
    assert package.counters.elsewhere.total() == elsewhere


@pytest.fixture
def client(make_client: type[StockClient]) -> StockClient:
    return make_client(app)


def ours(package) -> StockClient:
    return package.TestClient(app)
