"""The wire vectors of llhttp's and gunicorn's parser tests, under uvicorn and under us.

No vector is judged worse than uvicorn's answer, but for those that docs/TESTING.md,
"HTTP/1.1 vectors", lists with the sentence of the RFC that decides. The suite lies beside
the checkout, not in it."""

import concurrent.futures
import pathlib
import re
import subprocess
import sys

import compare
import patience
import peers
import pytest

ROOT = peers.TESTS.parent
SUITE = pathlib.Path("shared", "suites", "http1_vectors.py")
# With these, what follows belongs to the protocol that the client has asked for. Neither
# server changes to it: uvicorn drops the bytes, we read them as the next request, which
# they are not (RFC 9110, 7.8: a server MAY ignore Upgrade).
BEHIND_UPGRADE = {"connection:544", "connection:755", "connection:814"}
SUITES = ("llhttp", "gunicorn-treq")
WORST_FIRST = ("5XX", "HANG", "FAIL", "PASS")


def listed() -> set[str]:
    text = (ROOT / "docs" / "TESTING.md").read_text()
    section = text.split("## HTTP/1.1 vectors", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| [\w-]+ \| ((?:`[^`]+` ?)+)\|", section, re.M)
    return {vector for row in rows for vector in re.findall(r"`([^`]+)`", row)}


def judged(server: peers.Server, suite: str) -> tuple[dict[str, int], dict[str, str]]:
    """How often each verdict came, and the vectors that did not pass."""
    done = subprocess.run(
        [
            *(sys.executable, ROOT.parent / SUITE),
            *(f"127.0.0.1:{server.port}", "--suite", suite, "--verbose"),
        ],
        capture_output=True,
        text=True,
        timeout=patience.LONG_S,
    )
    counts = dict.fromkeys(WORST_FIRST, 0)
    rows = re.findall(r"^\S+ (?:accept|reject) (PASS|FAIL|HANG|5XX) (\d+)$", done.stdout, re.M)
    assert rows, done.stdout + done.stderr
    for verdict, count in rows:
        counts[verdict] += int(count)
    vectors = re.findall(r"^(FAIL|HANG|5XX) (?:accept|reject) \S+ (\S+)", done.stdout, re.M)
    return counts, {vector: verdict for verdict, vector in vectors}


@pytest.fixture(scope="module")
def verdicts(site: pathlib.Path, tmp_path_factory: pytest.TempPathFactory):
    """By suite, of uvicorn and of us; all at once, as most of it is waiting."""
    if not (ROOT.parent / SUITE).exists():
        pytest.skip(f"{SUITE} is not beside this checkout: vectors of {SUITES} not run")
    logs = tmp_path_factory.mktemp("vectors")
    with (
        compare.pair(site, logs, "apps:app", "--interface", "asgi3") as servers,
        concurrent.futures.ThreadPoolExecutor() as pool,
    ):
        runs = {suite: [pool.submit(judged, s, suite) for s in servers] for suite in SUITES}
        yield {suite: [run.result() for run in both] for suite, both in runs.items()}


@pytest.mark.parametrize("suite", SUITES)
def test_vectors(verdicts, suite: str, report: compare.Report) -> None:
    (their_counts, theirs), (counts, ours) = verdicts[suite]
    assert sum(their_counts.values()) == sum(counts.values()) > 100
    worse, better = set(), set()
    for vector in theirs.keys() | ours.keys():
        ranks = [WORST_FIRST.index(found.get(vector, "PASS")) for found in (theirs, ours)]
        if ranks[0] != ranks[1]:
            (worse if ranks[1] < ranks[0] else better).add(vector)
    report.tables.append(f"{suite} vectors: uvicorn {their_counts}, ours {counts}")
    report.tables.append(f"  judged better: {len(better)}, worse, by the RFC: {len(worse)}")
    assert counts["5XX"] == 0
    assert worse <= listed() | BEHIND_UPGRADE
