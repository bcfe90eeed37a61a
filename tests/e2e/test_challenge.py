"""fasterapi-challenge: each verdict, exit code and kind of error, against servers in
Python that behave, and servers that misbehave in one way each."""

import json
import pathlib
import re
import resource
import signal
import socket
import subprocess
import time

import challenge_server as servers
import patience
import pytest

EXACT, DIFFERS, USAGE, NO_SERVER = 0, 1, 2, 3
SMALL = ["-n", "400", "-c", "8", "-u", "30", "-v", "7"]


@pytest.fixture
def program(build_dir: pathlib.Path) -> pathlib.Path:
    return build_dir / "challenge" / "fasterapi-challenge"


@pytest.fixture
def challenge(program):
    """Runs it; returns (exit code, the result as JSON or None, standard error)."""

    def run(url: str, *options: str, **kwargs):
        done = subprocess.run(
            [program, "--json", *options, url],
            capture_output=True,
            text=True,
            timeout=patience.HANGS_S,
            **kwargs,
        )
        assert done.returncode in (0, 1, 2, 3), done.stderr
        return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr

    return run


def no_errors(result: dict) -> bool:
    return result["errors"]["total"] == 0 and result["in_doubt"] == 0


# Proper servers, in every form that HTTP allows.


@pytest.mark.parametrize(
    "server",
    [
        servers.Server,
        servers.Chunked,
        servers.Interim,
        servers.Dripping,
        servers.OldVersion,
        servers.FloatTotals,
        servers.AnnouncedClose,
        servers.ToTheEnd,
    ],
)
@pytest.mark.parametrize(
    "options",
    [
        [],
        ["-p", "4"],
        ["-r", "2000"],
        pytest.param(["-t", "2"], marks=pytest.mark.threads),
        pytest.param(["-p", "3", "-t", "3", "-r", "4k"], marks=pytest.mark.threads),
    ],
    ids="".join,
)
def test_exact(challenge, server, options):
    with server() as s:
        code, result, text = challenge(s.url, *SMALL, *options)
        if server is servers.ToTheEnd and "-p" in options:
            # What followed the answered request was refused with a reset: known to be
            # unprocessed, but the reset may destroy the answer before it.
            assert s.total + result["in_doubt"] >= 400 - result["unsent"]
            return
        assert code == EXACT, text
        assert result["verdict"] == "exact"
        assert no_errors(result)
        assert result["answered"] == result["acknowledged"] == s.total == 400
        assert s.sum == sum(i % 7 for i in range(400)) == result["totals"]["sum"]["got"]
        assert len(s.users) == 30 == result["totals"]["uniqueUsers"]["got"]
        if server in (servers.AnnouncedClose, servers.ToTheEnd):
            assert result["reopened"] >= 400 / 5 - 8
        else:
            assert result["opened"] == 8


def test_unix_socket(challenge, tmp_path):
    with servers.Server(socket.AF_UNIX, str(tmp_path / "s")) as s:
        code, result, text = challenge(s.url, *SMALL)
    assert (code, result["answered"]) == (EXACT, 400), text
    assert b"\r\nHost: localhost\r\n" in s.heads[0]


def test_ipv6(challenge):
    try:
        server = servers.Server(socket.AF_INET6)
    except OSError as e:
        pytest.skip(f"no IPv6 here: {e}")
    with server as s:
        code, result, text = challenge(s.url, *SMALL)
    assert (code, result["answered"]) == (EXACT, 400), text
    assert f"\r\nHost: {s.url[7:]}\r\n".encode() in s.heads[0]


def test_other_paths(challenge):
    with servers.Server() as s:
        code, _, text = challenge(
            s.url + "/", *SMALL, "--path", "/v1/event?x=%20", "--stats-path", "/v1/stats"
        )
    assert code == EXACT, text
    assert all(h.startswith(b"POST /v1/event?x=%20 HTTP/1.1\r\n") for h in s.heads)


def test_more_connections_than_requests(challenge):
    with servers.Server() as s:
        code, result, text = challenge(s.url, "-n", "3", "-c", "50", "-t", "9")
    assert (code, result["opened"]) == (EXACT, 3), text


def test_idle_connections_may_be_closed(challenge):
    with servers.IdleClose() as s:
        code, result, text = challenge(s.url, "-n", "24", "-c", "12", "-r", "24")
    assert code == EXACT, text
    assert result["reopened"] > 0 and no_errors(result)


# Totals that differ.


@pytest.mark.parametrize(
    "server, wrong",
    [
        (servers.Losing, {"totalRequests", "sum", "avg"}),
        (servers.Doubling, {"totalRequests", "sum", "avg"}),
        (servers.WrongSum, {"sum", "avg"}),
        (servers.WrongAverage, {"avg"}),
    ],
)
def test_wrong_totals(challenge, server, wrong):
    with server() as s:
        code, result, text = challenge(s.url, "-n", "400", "-c", "1", "-v", "7", "-u", "30")
    assert code == DIFFERS
    assert result["verdict"] == "failed" and no_errors(result)
    assert {k for k, v in result["totals"].items() if not v["ok"]} == wrong
    assert "DIFFERS" in text and "the totals differ" in text


@pytest.mark.parametrize(
    "body, said",
    [
        (b"[1]", "another type"),
        (b'{"totalRequests":400', "ends too early"),
        (b"<html>", "malformed JSON"),
    ],
)
def test_stats_that_are_no_stats(challenge, body, said):
    with servers.stats_that_answer(servers.Server.answer(body))() as s:
        code, result, text = challenge(s.url, *SMALL)
    assert code == DIFFERS
    assert said in result["stats_error"] and said in text


def test_stats_missing(challenge):
    with servers.stats_that_answer(servers.Server.answer(b"", "404 Not Found"))() as s:
        code, result, _ = challenge(s.url, *SMALL)
    assert (code, result["stats_error"]) == (DIFFERS, "status 404")


def test_stats_too_large(challenge):
    with servers.stats_that_answer(servers.Server.answer(b" " * 70000))() as s:
        code, result, _ = challenge(s.url, *SMALL)
    assert (code, result["verdict"]) == (DIFFERS, "failed")
    assert "limit" in result["stats_error"]


def test_stats_of_other_types(challenge):
    body = b'{"totalRequests":"400","sum":null,"avg":[]}'
    with servers.stats_that_answer(servers.Server.answer(body))() as s:
        code, result, _ = challenge(s.url, *SMALL)
    assert code == DIFFERS
    assert result["totals"]["totalRequests"]["got"] == "not a number"
    assert result["totals"]["uniqueUsers"]["got"] == "missing"
    assert not any(v["ok"] for v in result["totals"].values())


# Errors by kind.


def test_refused_by_status(challenge):
    with servers.FailingSometimes() as s:
        code, result, text = challenge(s.url, *SMALL)
    assert code == DIFFERS
    assert result["statuses"] == {"200": 392, "500": 8}
    assert result["errors"]["refused"] == result["errors"]["total"] == 8
    assert result["acknowledged"] == 392
    assert re.search(r"status 500 +8\n", text)


@pytest.mark.parametrize(
    "server, kind",
    [
        (servers.CountsThenResets, "reset"),
        (servers.ResetsUncounted, "reset"),
        (servers.CutsShort, "closed_early"),
        (servers.Garbage, "malformed"),
        (servers.Silent, "timeout"),
    ],
)
def test_in_doubt(challenge, server, kind):
    patience = ["--timeout", "700ms"] if kind == "timeout" else []
    with server() as s:
        code, result, text = challenge(s.url, *SMALL, *patience)
    doubts = result["in_doubt"]
    assert code == DIFFERS
    assert doubts == result["unanswered"] >= 1, text
    assert result["errors"][kind] == doubts
    assert result["acknowledged"] + doubts == 400
    assert result["acknowledged"] <= s.total <= result["acknowledged"] + doubts
    assert result["resent"] == 0 and s.requests == 400


@pytest.mark.parametrize(
    "server", [servers.CountsThenResets, servers.ResetsUncounted, servers.CutsShort]
)
def test_retry_makes_good(challenge, server):
    with server() as s:
        code, result, text = challenge(s.url, *SMALL, "--retry")
    assert code == EXACT, text
    assert result["acknowledged"] == 400
    assert result["in_doubt"] == result["resent"] >= 1
    assert 400 <= s.total <= 400 + result["in_doubt"]
    assert result["totals"]["totalRequests"]["expected_at_most"] == 400 + result["in_doubt"]


def test_retry_hides_no_double_count(challenge):
    with servers.Doubling() as s:
        code, result, _ = challenge(s.url, *SMALL, "--retry")
    assert code == DIFFERS and not result["totals"]["totalRequests"]["ok"]


def test_more_answers_than_requests(challenge):
    with servers.TwoAnswers() as s:
        code, result, _ = challenge(s.url, "-n", "100", "-c", "1", "-r", "1000")
    assert code == DIFFERS
    # Either seen between requests, or taken for the next answer, and then seen.
    assert result["errors"]["malformed"] == 1 or result["in_doubt"] >= 1


def test_nothing_listens(challenge):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        code, result, text = challenge(f"http://127.0.0.1:{s.getsockname()[1]}")
    assert (code, result) == (NO_SERVER, None)
    assert "refused" in text


def test_no_such_unix_socket(challenge, tmp_path):
    assert challenge(f"unix:{tmp_path}/none")[0] == NO_SERVER


def test_closes_every_connection_at_once(challenge):
    """It must give up, not try for ever."""
    with servers.HangsUpAtOnce() as s:
        code, result, _ = challenge(s.url, "-n", "50", "-c", "2", "--timeout", "2s")
    assert code == DIFFERS
    assert result["acknowledged"] == 0
    assert result["unsent"] + result["unanswered"] == 50
    assert s.accepted < 2000


def test_server_that_dies(challenge):
    class Dying(servers.Server):
        def event(self, nth, on_connection, user, value):
            if nth == 100:
                self.stop()
            return super().event(nth, on_connection, user, value)

    with Dying() as s:
        code, result, _ = challenge(s.url, *SMALL)
    assert code == DIFFERS
    assert result["errors"]["connect"] > 0
    assert result["acknowledged"] + result["unanswered"] + result["unsent"] == 400


# Totals from before.


def test_baseline(challenge):
    with servers.Server() as s:
        assert challenge(s.url, *SMALL, "--expect-fresh")[0] == EXACT
        code, _, text = challenge(s.url, *SMALL)
        assert code == DIFFERS and "--baseline" in text
        code, result, text = challenge(s.url, "-n", "300", "-c", "8", "-u", "40", "--baseline")
        assert code == EXACT, text
        assert result["totals"]["totalRequests"]["expected"] == 1100
        assert result["totals"]["uniqueUsers"] == {
            "expected": 40, "expected_at_most": 70, "got": 40, "ok": True,
        }  # fmt: skip
        counted = s.total
        code, result, text = challenge(s.url, *SMALL, "--expect-fresh")
        assert (code, result, s.total) == (DIFFERS, None, counted)
        assert "counted before" in text


def test_baseline_that_cannot_be_taken_off(challenge):
    body = b'{"totalRequests":1,"uniqueUsers":1,"sum":0.5,"avg":0.5}'
    with servers.stats_that_answer(servers.Server.answer(body))() as s:
        code, result, text = challenge(s.url, *SMALL, "--baseline")
    assert (code, result, s.requests) == (DIFFERS, None, 0)
    assert "sum" in text


# Pace and time.


def test_rate_is_kept(challenge):
    with servers.Server() as s:
        code, result, text = challenge(s.url, "-n", "100", "-c", "4", "-r", "250", "-t", "2")
    assert code == EXACT, text
    assert result["seconds"] >= 99 / 250


def test_latency_counts_from_when_it_was_due(challenge):
    """A stall of 0.6 s in 100 requests at 200/s on one connection must show in all that
    were due meanwhile, not in one: all 95 later ones were due within 475 ms."""
    with servers.StallsOnce() as s:
        code, result, text = challenge(s.url, "-n", "100", "-c", "1", "-r", "200")
    assert code == EXACT, text
    assert result["latency_us"]["p50"] > 100_000
    assert "coordinated omission" in " ".join(text.split())


def test_run_timeout(challenge):
    with servers.Slow() as s:
        code, result, _ = challenge(s.url, "-n", "1000", "-c", "2", "--run-timeout", "500ms")
    assert code == DIFFERS
    assert result["errors"]["run_timeout"] is True
    assert result["unsent"] > 0
    assert result["answered"] + result["unanswered"] + result["unsent"] == 1000


def test_interrupt(program):
    with servers.Slow() as s:
        run = subprocess.Popen(
            [program, "-n", "1000", "-c", "2", "--json", s.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        deadline = time.monotonic() + patience.HANGS_S
        while s.requests < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        run.send_signal(signal.SIGINT)
        out, _ = run.communicate(timeout=patience.HANGS_S)
    assert run.returncode == DIFFERS
    assert json.loads(out)["unsent"] > 0


# The command line.


def run(program, *args):
    return subprocess.run([program, *args], capture_output=True, text=True, timeout=patience.HANGS_S)


def test_report(program):
    with servers.Server() as s:
        done = run(program, "-n", "1_000", "-c", "8", "--progress", "250", s.url)
    assert (done.returncode, done.stderr) == (EXACT, "")
    assert re.findall(r"^ +([\d,]+) / 1,000 ", done.stdout, re.M) == ["250", "500", "750", "1,000"]
    for name in ("min", "p50", "p90", "p99", "p99.9", "max"):
        assert re.search(rf"\b{re.escape(name)} [\d.]+ [num]?s\b", done.stdout), name
    rows = re.findall(r"^  < .{8} +([\d,]+) +([\d.]+)%( #+)?$", done.stdout, re.M)
    assert sum(int(n.replace(",", "")) for n, _, _ in rows) == 1000
    assert all((bar != "") == (n != "0") for n, _, bar in rows)
    assert "Errors     none" in done.stdout
    assert "Verdict    EXACT" in done.stdout


def test_quiet_says_the_verdict_only(program):
    with servers.Server() as s:
        done = run(program, "--quiet", *SMALL, s.url)
    assert done.stdout.strip().startswith("Verdict    EXACT")
    assert len(done.stdout.strip().splitlines()) == 1


def test_help_tells_every_option(program):
    done = run(program, "--help")
    assert done.returncode == 0
    for option in (
        "requests connections users values pipeline rate threads path stats-path retry timeout "
        "connect-timeout run-timeout expect-fresh baseline progress json quiet help version"
    ).split():
        assert f"--{option}" in done.stdout
    for default in ("1000000", "1000", "75000", "/event", "/stats", "10s", "5s", "100000"):
        assert f"default {default}" in done.stdout
    assert re.fullmatch(r"fasterapi-challenge \d+\.\d+\.\d+\n", run(program, "--version").stdout)


@pytest.mark.parametrize(
    "args",
    [
        ["--requests", "0"],
        ["-n", "1x"],
        ["-n", ""],
        ["-n", "-5"],
        ["-n", "2000000000000"],
        ["-n", "18446744073709551617"],
        ["-c", "0"],
        ["-t", "0"],
        ["-p", "4096"],
        ["-v", "9M"],
        ["--timeout", "5x"],
        ["--timeout", "2000m"],
        ["--path", "event"],
        ["--path", "/a b"],
        ["--path", "/a\r\nX: y"],
        ["--no-such-option"],
        ["--requests"],
        ["https://127.0.0.1:8000"],
        ["http://127.0.0.1:8000/event"],
        ["http://127.0.0.1:99999"],
        ["http://127.0.0.1:"],
        ["http://::1:8000"],
        ["http://[::1:8000"],
        ["http://a b/"],
        ["http://"],
        ["unix:"],
        ["unix:/" + "x" * 200],
        ["http://127.0.0.1:1", "http://127.0.0.1:2"],
    ],
    ids=" ".join,
)
def test_usage_errors(program, args):
    done = run(program, *args)
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert done.stderr


def test_descriptor_limit(challenge):
    """Raised where that is allowed; otherwise a clear refusal."""
    with servers.Server() as s:
        code, result, text = challenge(
            s.url, "-n", "100", "-c", "100",
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
        )  # fmt: skip
    if code != EXACT:
        assert (code, result) == (USAGE, None)
        assert "140" in text and "64" in text
    with servers.Server() as s:
        code, _, text = challenge(
            s.url, "-n", "100", "-c", "100",
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 4096)),
        )  # fmt: skip
    assert code == EXACT, text


def test_no_memory(program):
    """An error like others, with its exit code: not a crash."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (20 << 20, 20 << 20))

    if subprocess.run([program, "--version"], preexec_fn=limit, capture_output=True).returncode:
        pytest.skip("sanitizers need more address space than this")
    with servers.Server() as s:
        done = subprocess.run(
            [program, "-n", "100k", "-c", "900", "-p", "1024", "--quiet", s.url],
            preexec_fn=limit, capture_output=True, text=True, timeout=patience.HANGS_S,
        )  # fmt: skip
    assert (done.returncode, done.stdout, s.requests) == (DIFFERS, "", 0)
    assert "out of memory" in done.stderr


def test_result_that_cannot_be_written(program):
    with servers.Server() as s, open("/dev/full", "w") as full:
        done = subprocess.run(
            [program, "--json", "--quiet", *SMALL, s.url], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == DIFFERS
    assert b"cannot write" in done.stderr
