"""The challenge's client against plain FastAPI code: every total exact, in both tiers."""

import io
import pathlib
import re
import runpy
import subprocess

import patience
import peers
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("engine", ["asgi", "auto"])
def test_challenge(
    engine: str, site: pathlib.Path, python_build: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    app = ROOT / "examples" / "one_million" / "app.py"
    options = ["run", str(app), "--host", "127.0.0.1", "--port", "0", "--no-access-log"]
    with peers.serving("fasterapi", site, tmp_path, *options, "--engine", engine) as server:
        client = python_build / "challenge" / "fasterapi-challenge"
        done = subprocess.run(
            [client, f"http://127.0.0.1:{server.port}", "-n", "20000"],
            capture_output=True,
            text=True,
            timeout=patience.HANGS_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        # It has its own opinion; this is ours.
        with server.connect() as s:
            s.sendall(b"GET /stats HTTP/1.1\r\nHost: x\r\n\r\n")
            stats = peers.answer_of(peers.Reader(s), "GET")
        assert b'"totalRequests":20000,' in stats.body, done.stdout
    assert server.text("out") == ""
    compiled = re.search(r"requests by tier: (\d+) compiled", server.text("err"))
    if engine == "auto":
        assert compiled and int(compiled[1]) == 20002  # and GET /stats, theirs and ours
    else:
        assert compiled is None


def test_the_challenge_wants_the_compiled_tier() -> None:
    challenge = runpy.run_path(str(ROOT / "tools" / "challenge"))
    subject = challenge["in_python_with"](["fasterapi"], 0.0)

    def wrong(said: bytes) -> list[str]:
        return challenge["not_compiled"](subject, io.BytesIO(said), 1000)

    line = b"INFO:     Engine: requests by tier: %d compiled, 0 direct, %d asgi\n"
    assert "--engine" in subject.command
    assert wrong(line % (1001, 0)) == []
    assert wrong(line % (999, 2)) == ["999 of 1,000 events were compiled"]
    assert wrong(b"INFO:     Finished\n") == ["0 of 1,000 events were compiled"]
