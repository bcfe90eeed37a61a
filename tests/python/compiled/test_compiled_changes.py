"""What is replaced while an application serves counts from the next request, as under uvicorn."""

import pathlib

import compare
import pytest
from corpus import simple
from wire import Case


def cases_of(name: str) -> list[Case]:
    paths = ("/", "/fails", "/items", "/items?n=1", "/nowhere")
    places = (f"/{name}", "", "/none") if name != "router" else ("", "/none")
    asked = [
        simple(place + path, "POST" if "items" in path else "GET")
        for place in places
        for path in paths
    ]
    return [simple(f"/replace/{name}"), *asked]


@pytest.mark.parametrize("name", ["stack", "built", "debug", "handler", "router"])
def test_replaced(
    name: str, site: pathlib.Path, tmp_path: pathlib.Path, report: compare.Report
) -> None:
    """Before anybody has called what is mounted: its middleware is not built then."""
    options = ("compiled_changes_app:app", "--loop", "asyncio")
    with compare.pair(site, tmp_path, *options, env={"FASTERAPI_ENGINE": "auto"}) as servers:
        for case in cases_of(name):  # one after the other
            compare.check(servers, f"replaced {name}", [case], report)
