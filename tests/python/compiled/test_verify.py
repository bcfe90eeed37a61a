"""--verify: a route that answers otherwise when it is compiled is found, and demoted."""

import http.client
import pathlib
import re

import patience
import peers
import pytest


def get(server: peers.Server, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=patience.HANGS_S)
    connection.request("GET", path)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


@pytest.mark.parametrize("app", ["app", "behind"])
def test_verify(site: pathlib.Path, loop: str, tmp_path: pathlib.Path, app: str) -> None:
    options = (f"verify_app:{app}", "--port", "0", "--loop", loop, "--engine", "auto")
    with peers.serving("fasterapi", site, tmp_path, *options, "--verify", "100%") as server:
        assert "Engine: 4 routes are verified" in server.text("err")
        for n in range(3):
            assert get(server, f"/same/{n}?q=a") == f'{{"x":{n},"q":"a"}}'
            get(server, "/marked")
            get(server, "/unsafe")
        assert get(server, "/same/x").startswith('{"detail"')  # never a sample
        # The client has the application's answer, and from then on nothing else.
        assert get(server, "/wrong") == '"asgi"'
        told = server.told("err", "GET /wrong differs when it is compiled")
        assert "b'\"compiled\"'" in told and "b'\"asgi\"'" in told
        assert [get(server, "/wrong") for _ in range(3)] == ['"asgi"'] * 3
        get(server, "/unsteady")
        assert "/unsteady gives another answer each time" in server.told("err", "/unsteady gives")
        get(server, "/unsteady")
        assert get(server, "/calls").count("unsafe") == 3
        assert get(server, "/calls").count("marked") == 6
        server.stop(15)
        told = server.text("err")
    compared = re.search(r"Engine: (\d+) answers compared, 1 routes differed", told)
    assert compared is not None and int(compared[1]) >= 8, told
    assert "requests by tier:" in told


@pytest.mark.parametrize("app", ["app", "behind"])
def test_without(site: pathlib.Path, tmp_path: pathlib.Path, app: str) -> None:
    options = (f"verify_app:{app}", "--port", "0", "--engine", "auto")
    with peers.serving("fasterapi", site, tmp_path, *options) as server:
        assert get(server, "/wrong") == '"compiled"'
        assert "verified" not in server.text("err")
