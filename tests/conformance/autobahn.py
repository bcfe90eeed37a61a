"""Autobahn's fuzzing client against a WebSocket echo server: tests/conformance/autobahn.py

    --url URL       a server that is running, whatever it is; else examples/echo of the build
                    in FA_BUILD_DIR (build-dev) is started
    --cases C...    groups or cases, "1.*" "9.1.2"; default 1 to 7 and 10, some 12 seconds;
                    "9.*" "12.*" "13.*" are sizes and compression, 20 minutes
    --report DIR    where the tool's own report goes, to be read with a browser

Prints what was not OK and the totals; the exit status is 1 when a case failed, 77 when
there is no tool: docs/TESTING.md says how to get it.
"""

import argparse
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path += [str(ROOT / "tests"), str(ROOT / "tests" / "e2e")]
from websocket import start_echo  # noqa: E402

BASIC = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"]
GOOD = ("OK", "NON-STRICT", "INFORMATIONAL")
NO_TOOL = 77


def find_tool() -> str | None:
    """wstest of autobahntestsuite, which needs Python 2.7: FA_WSTEST, ours, or anybody's."""
    ours = ROOT / ".venv-autobahn" / "bin" / "wstest"
    named = os.environ.get("FA_WSTEST") or (str(ours) if ours.exists() else "wstest")
    return shutil.which(named)


def run(tool: str, url: str, cases: list[str], report: pathlib.Path) -> dict[str, tuple[str, str]]:
    """What each case came to, and how it was closed."""
    report.mkdir(parents=True, exist_ok=True)
    spec = {
        "outdir": str(report),
        "servers": [{"agent": "server", "url": url}],
        "cases": cases,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    (report / "spec.json").write_text(json.dumps(spec))
    with (report / "log.txt").open("w") as log:
        subprocess.run(
            [tool, "-m", "fuzzingclient", "-s", report / "spec.json"],
            stdout=log,
            stderr=subprocess.STDOUT,
            check=True,
        )
    judged = json.loads((report / "index.json").read_text())["server"]
    return {case: (v["behavior"], v["behaviorClose"]) for case, v in judged.items()}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url")
    parser.add_argument("--cases", nargs="+", default=BASIC)
    parser.add_argument("--report", type=pathlib.Path)
    args = parser.parse_args()
    tool = find_tool()
    if tool is None:
        print("wstest of autobahntestsuite is not installed; see docs/TESTING.md", file=sys.stderr)
        return NO_TOOL
    server = None
    report = args.report or pathlib.Path(tempfile.mkdtemp(prefix="fa-autobahn-"))
    try:
        if args.url is None:
            server, args.url = start_echo(ROOT / os.environ.get("FA_BUILD_DIR", "build-dev"))
        results = run(tool, args.url, args.cases, report)
    finally:
        if server is not None:
            server.terminate()
            server.wait()
        if args.report is None:
            shutil.rmtree(report, ignore_errors=True)
    for case, verdicts in results.items():
        if set(verdicts) != {"OK"}:
            print(case, *verdicts)
    totals = collections.Counter(behavior for behavior, _ in results.values())
    print(f"{len(results)} cases:", ", ".join(f"{n} {name}" for name, n in totals.items()))
    return 0 if results and all(v in GOOD for both in results.values() for v in both) else 1


if __name__ == "__main__":
    sys.exit(main())
