"""schemathesis makes requests from an application's schema, right ones and wrong ones: under
us, as under uvicorn, every answer is one that the schema has."""

import pathlib
import re
import subprocess
import sys

import compare
import patience
import peers

# What an answer is. (Whether FastAPI refuses all that its schema forbids is FastAPI's matter.)
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance"
)


def start(server: peers.Server, folder: pathlib.Path) -> subprocess.Popen:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run"),
            f"http://127.0.0.1:{server.port}/openapi.json",
            *("--seed", "1", "--max-examples", "10", "--checks", CHECKS, "--no-color"),
            *("--phases", "coverage,fuzzing", "--continue-on-failure"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=peers.environment(folder),
    )


def test_answers_are_those_of_the_schema(
    site: pathlib.Path, tmp_path: pathlib.Path, report: compare.Report
) -> None:
    with compare.pair(site, tmp_path, "schema_app:app") as servers:
        runs = []
        for server in servers:
            folder = server.logs / "run"
            folder.mkdir()
            runs.append(start(server, folder))
        told = [run.communicate(timeout=patience.LONG_S)[0] for run in runs]
    for run, text in zip(runs, told, strict=True):
        assert run.returncode == 0, text[-3000:]
    counts = [int(re.search(r"(\d+) generated", text)[1]) for text in told]
    assert min(counts) > 200
    report.tables.append(
        f"schemathesis: requests to uvicorn {counts[0]}, to us {counts[1]}; no failure"
    )
