"""Applications of frameworks under uvicorn and under us: nothing tells them apart."""

import pathlib

import compare
import pytest
import requests_of

APPS = {
    "fastapi": ["fastapi_app:app"],
    "starlette": ["starlette_app:app"],
    "django": ["django_app:app"],
    "litestar": ["litestar_app:app"],
}


@pytest.mark.parametrize(
    ("name", "loop"),
    [
        ("fastapi", "asyncio"),
        ("fastapi", "uvloop"),
        ("starlette", "asyncio"),
        ("starlette", "uvloop"),
        ("django", "asyncio"),
        ("litestar", "uvloop"),
    ],
)
def test_same(
    site: pathlib.Path, tmp_path: pathlib.Path, name: str, loop: str, report: compare.Report
) -> None:
    with compare.pair(site, tmp_path, *APPS[name], "--loop", loop) as servers:
        compare.check(servers, name, requests_of.CASES[name](), report)
        compare.stopped_alike(servers)
