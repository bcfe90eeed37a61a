"""The challenge's client against plain FastAPI code: every total exact."""

import pathlib
import subprocess

import peers

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def test_challenge(site: pathlib.Path, python_build: pathlib.Path, tmp_path: pathlib.Path) -> None:
    app = ROOT / "examples" / "one_million" / "app.py"
    options = ["run", str(app), "--host", "127.0.0.1", "--port", "0", "--no-access-log"]
    with peers.serving("fasterapi", site, tmp_path, *options) as server:
        client = python_build / "challenge" / "fasterapi-challenge"
        done = subprocess.run(
            [client, f"http://127.0.0.1:{server.port}", "-n", "20000"],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        # It has its own opinion; this is ours.
        with server.connect() as s:
            s.sendall(b"GET /stats HTTP/1.1\r\nHost: x\r\n\r\n")
            stats = peers.answer_of(peers.Reader(s), "GET")
        assert b'"totalRequests":20000,' in stats.body, done.stdout
    assert server.text("out") == ""
