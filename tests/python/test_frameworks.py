"""Applications of frameworks under uvicorn and under us: nothing tells them apart."""

import pathlib

import compare
import pytest
import requests_of

APPS = {
    "fastapi": ["fastapi_app:app"],
}


@pytest.mark.parametrize("name", APPS)
def test_same(
    site: pathlib.Path, loop: str, tmp_path: pathlib.Path, name: str, report: compare.Report
) -> None:
    with compare.pair(site, tmp_path, *APPS[name], "--loop", loop) as servers:
        compare.check(servers, name, requests_of.CASES[name](), report)
        compare.stopped_alike(servers)
