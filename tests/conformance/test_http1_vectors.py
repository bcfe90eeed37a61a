"""The wire vectors of llhttp's and gunicorn's parser tests against the real server.

The suite lies beside the checkout, not in it: ../shared/suites/http1_vectors.py. What it
judges differently from us is listed in docs/TESTING.md, "HTTP/1.1 vectors", each with the
sentence of the RFC that decides; this test holds that table to what happens.
"""

import pathlib
import re
import subprocess
import sys

import patience
import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from server import serving  # noqa: E402

SUITE = pathlib.Path("shared", "suites", "http1_vectors.py")

# gunicorn's fixtures bring the limits of the parser they are for; requests that never end
# are answered 408 before the suite, which waits a second, calls it a hang.
OPTIONS = {
    "llhttp": [],
    "gunicorn-treq": [
        "max_request_line_bytes=4094",
        "max_header_bytes=8190",
        "header_timeout_ms=300",
        "body_timeout_ms=300",
    ],
}
# Judged vectors, and how many of them pass.
EXPECTED = {"llhttp": (109, 97), "gunicorn-treq": (113, 104)}


def listed_misses(root: pathlib.Path, suite: str) -> set[str]:
    text = (root / "docs" / "TESTING.md").read_text()
    section = text.split("## HTTP/1.1 vectors", 1)[1].split("\n## ", 1)[0]
    return {
        vector
        for line in section.splitlines()
        if line.startswith(f"| {suite} |")
        for vector in re.findall(r"`([^`]+)`", line.split("|")[2])
    }


@pytest.mark.parametrize("suite", ["llhttp", "gunicorn-treq"])
def test_vectors(root: pathlib.Path, build_dir: pathlib.Path, suite: str):
    script = root.parent / SUITE
    if not script.exists():
        pytest.skip(f"{SUITE} is not beside this checkout: {suite} vectors not run")
    limits = [option for limit in OPTIONS[suite] for option in ("--limit", limit)]
    with serving(build_dir, "--catch-all", *limits) as server:
        run = subprocess.run(
            [sys.executable, script, f"127.0.0.1:{server.port}", "--suite", suite, "--verbose"],
            capture_output=True,
            text=True,
            timeout=patience.LONG_S,
        )
    verdicts = re.findall(rf"^(PASS|FAIL|HANG|5XX) (?:accept|reject) {suite} (\S+)", run.stdout, re.M)
    counts = re.findall(rf"^{suite} (?:accept|reject) (PASS|FAIL|HANG|5XX) (\d+)$", run.stdout, re.M)
    assert run.returncode == 0 and counts, run.stdout + run.stderr
    total = {verdict: 0 for verdict in ("PASS", "FAIL", "HANG", "5XX")}
    for verdict, n in counts:
        total[verdict] += int(n)
    assert total["HANG"] == total["5XX"] == 0, run.stdout
    assert {vector for _, vector in verdicts} == listed_misses(root, suite)
    assert (sum(total.values()), total["PASS"]) == EXPECTED[suite]
