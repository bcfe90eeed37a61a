"""Autobahn's cases but for sizes and compression, against examples/echo; autobahn.py runs them
all, and against other servers."""

import pathlib

import autobahn
import patience
import pytest


def test_cases(build_dir: pathlib.Path, tmp_path: pathlib.Path):
    tool = autobahn.find_tool()
    if tool is None:
        pytest.skip("autobahntestsuite is not installed: its WebSocket cases not run")
    server, url = autobahn.start_echo(build_dir)
    try:
        results = autobahn.run(tool, url, autobahn.BASIC, tmp_path)
    finally:
        server.terminate()
        status = server.wait(patience.HANGS_S)
    assert status == 0  # a sanitizer that found something ends it otherwise
    assert len(results) == 247
    # 7.1.6, 7.13.1 and 7.13.2 are judged by nobody.
    judged = {case: both for case, both in results.items() if set(both) != {"INFORMATIONAL"}}
    assert len(judged) == 244
    assert {case: both for case, both in judged.items() if both != ("OK", "OK")} == {}
