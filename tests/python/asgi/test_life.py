"""Start and end: exit status, log and output are those of uvicorn."""

import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import patience
import peers
import pytest
from life import GET, KINDS, ended, get, told


@pytest.mark.parametrize(
    "options",
    [
        ["missing_module:app"],
        ["life_apps:missing"],
        ["life_apps:Container.missing"],
        ["life_apps"],
        ["life_apps:"],
        [":app"],
        ["life_apps:fails_at_start"],
        ["life_apps:fails_silently"],
        ["life_apps:raises_at_start", "--lifespan", "on"],
        ["life_apps:sends_nonsense", "--lifespan", "on"],
        ["life_apps:starts_by_ending", "--lifespan", "on"],
        ["life_apps:plain", "--lifespan", "on"],
        ["life_apps:factory_with_argument", "--factory"],
    ],
    ids=" ".join,
)
def test_failing_start(site: pathlib.Path, options: list[str]) -> None:
    theirs, ours = (ended(kind, site, *options, "--port", "0") for kind in KINDS)
    assert theirs[0] == 3
    assert ours == theirs


def test_no_such_loop(site: pathlib.Path) -> None:
    status, err, _ = ended("fasterapi", site, "life_apps:plain", "--loop", "missing_module:loop")
    assert status == 3
    assert err == (
        "ERROR:    Error loading custom loop setup function. "
        'Could not import module "missing_module".\n'
    )


def test_port_in_use(site: pathlib.Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        options = ["life_apps:app", "--port", str(taken.getsockname()[1]), "--loop", "asyncio"]
        theirs, ours = (ended(kind, site, *options) for kind in KINDS)
    assert theirs[0] == 3
    # asyncio of Python 3.13 tells the number once more, uvloop does not (differences-uvicorn.md).
    repeated = re.compile(r"(?<=\d\): )\[errno \d+\] ")
    assert bool(repeated.search(theirs[1])) == (sys.version_info >= (3, 13))
    assert ours == (theirs[0], repeated.sub("", theirs[1]), theirs[2])


@pytest.mark.parametrize(
    "options",
    [
        ["life_apps:app", "--interface", "asgi3"],
        ["life_apps:plain"],
        ["life_apps:plain", "--lifespan", "off"],
        ["life_apps:raises_at_start"],
        ["life_apps:raises_at_end"],
        ["life_apps:raises_at_end", "--lifespan", "on"],
        ["life_apps:starts_again", "--lifespan", "on"],
        ["life_apps:fails_at_end"],
        ["life_apps:factory"],
        ["life_apps:factory", "--factory"],
        ["life_apps:Container.app"],
        ["life_apps:plain", "--loop", "none"],
        ["life_apps:plain", "--loop", "asyncio:SelectorEventLoop"],
        ["life_apps:plain", "--log-level", "debug"],
        ["life_apps:plain", "--no-access-log"],
        ["life_apps:plain", "--use-colors"],
        ["life_apps:Asgi2"],
        ["life_apps:Asgi2", "--interface", "asgi2"],
        ["life_apps:plain", "--header", "X-One:1", "--header", "x-two: 2", "--no-date-header"],
        ["life_apps:plain", "--header", "Server:mine"],
        ["life_apps:plain", "--no-server-header"],
        ["life_apps:app", "--interface", "asgi3", "--root-path", "/root"],
        ["life_apps:app", "--interface", "asgi3", "--no-proxy-headers"],
        ["life_apps:app", "--interface", "asgi3", "--forwarded-allow-ips", "*"],
        ["life_apps:app", "--interface", "asgi3", "--forwarded-allow-ips", "10.0.0.0/8,::1"],
        ["life_apps:plain", "--limit-concurrency", "1"],
        *(
            ["life_apps:" + name, "--lifespan", how]
            for name in (
                "stateful",
                "stateless",
                "state_untouched",
                "lifespan_returns",
                "lifespan_ends_early",
                "lifespan_goes_on",
            )
            for how in (("auto", "on", "off") if name == "stateful" else ("auto",))
        ),
    ],
    ids=" ".join,
)
def test_life(site: pathlib.Path, tmp_path: pathlib.Path, options: list[str]) -> None:
    number = signal.SIGTERM if len(options) == 1 else signal.SIGINT
    results = []
    for kind in KINDS:
        with peers.serving(kind, site, tmp_path / kind, *options, "--port", "0") as server:
            answers = [get(server, "/scope/%41?b=c"), get(server, "/stream")]
            server.stop(number)
            results.append((answers, *told(server)))
    assert results[1] == results[0]


@pytest.mark.parametrize("app", ["stateful", "fails_at_end", "raises_at_end"])
def test_order_of_both_streams(site: pathlib.Path, tmp_path: pathlib.Path, app: str) -> None:
    """Into one pipe: what the application prints, access lines and all else, in their order."""
    told = []
    for kind in KINDS:
        both = tmp_path / kind
        with open(both, "w") as file:
            process = subprocess.Popen(
                [*peers.command(kind), "life_apps:" + app, "--port", "0"],
                stdout=file,
                stderr=file,
                env=peers.environment(site),
                cwd=peers.APPS,
            )
        server = peers.Server(process, tmp_path, 0)
        try:
            patience.until(
                lambda: peers.RUNNING.search(both.read_text()) or process.poll() is not None,
                both.read_text,
            )
            found = peers.RUNNING.search(both.read_text())
            assert found, both.read_text()
            server.port = int(found[1])
            answers = [get(server, f"/{n}") for n in range(3)]
        finally:
            status = server.stop(signal.SIGINT)
        log = peers.normalised(both.read_text()).replace("Uvicorn", "FasterAPI")
        told.append((answers, status, log.replace(str(server.port), "PORT")))
    assert told[1] == told[0]


def stopped_with(
    kind: str, site: pathlib.Path, logs: pathlib.Path, path: str, signals: int, *options: str
):
    """Told to stop while a request is under way."""
    options = ("life_apps:plain", "--port", "0", *options)
    with peers.serving(kind, site, logs, *options) as server, server.connect() as s:
        s.sendall(GET.format(path).encode())
        time.sleep(0.2)
        for _ in range(signals):
            server.process.send_signal(signal.SIGINT)
            time.sleep(0.25)
        answer = peers.answer_of(peers.Reader(s), "GET")
        server.process.wait(patience.HANGS_S)
        return answer, *told(server)


@pytest.mark.parametrize(
    ("path", "signals", "options"),
    [
        ("/slow", 1, ()),
        ("/slow", 1, ("--timeout-graceful-shutdown", "5")),
        ("/hangs", 1, ("--timeout-graceful-shutdown", "1")),
        ("/streams", 1, ()),
        ("/streams", 1, ("--timeout-graceful-shutdown", "1")),
    ],
)
def test_stop_under_way(
    site: pathlib.Path, tmp_path: pathlib.Path, path: str, signals: int, options: tuple[str, ...]
) -> None:
    theirs, ours = (
        stopped_with(kind, site, tmp_path / kind, path, signals, *options) for kind in KINDS
    )
    # We wait for cancelled requests before we go on; uvicorn goes on meanwhile.
    for answer, status, err, out in (ours, theirs):
        assert ours[0] == answer and ours[1] == status and ours[3] == out
        assert sorted(ours[2].splitlines()) == sorted(err.splitlines())


def test_second_signal_forces(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    answer, status, err, _ = stopped_with("fasterapi", site, tmp_path, "/hangs", 2)
    assert answer.status in (None, 500)
    assert "Waiting for application shutdown." not in err
    assert status == 0


def test_limit_max_requests(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    results = []
    for kind in KINDS:
        options = ["life_apps:plain", "--port", "0", "--limit-max-requests", "2"]
        with peers.serving(kind, site, tmp_path / kind, *options) as server:
            answers = [get(server, "/"), get(server, "/")]
            server.process.wait(patience.HANGS_S)
            results.append((answers, *told(server)))
    assert results[1] == results[0]


def test_unix_socket(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "server.sock"
    results = []
    for kind in KINDS:
        options = ["life_apps:app", "--interface", "asgi3", "--uds", str(path)]
        with peers.serving(kind, site, tmp_path / kind, *options) as server:
            mode = path.stat().st_mode
            answer = get(server, "/scope")
            server.stop(signal.SIGINT)
            results.append((mode, answer, *told(server)))
        assert not path.exists()
    assert results[1] == results[0]
