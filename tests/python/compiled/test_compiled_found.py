"""What the fuzzer of the compiled tier has found."""

import pathlib

import compare
import pytest
from corpus import simple

CASES = [
    simple("/task-fails"),
    simple("/rewritten"),
    simple("/rewritten-later"),
    simple("/digits/" + "9" * 4300),
    simple("/digits/" + "9" * 4301),
    simple("/swallowed"),
    simple("/fields", "GET", "B: 1", "Q: 2"),
    simple("/debug/fails/a"),
    simple("/debug/fails/b", "GET", "Accept: text/html"),
]


@pytest.fixture(scope="module")
def servers(site: pathlib.Path, loop: str, tmp_path_factory: pytest.TempPathFactory):
    env = {"FASTERAPI_ENGINE": "auto"}
    logs = tmp_path_factory.mktemp("found")
    with compare.pair(site, logs, "compiled_found_app:app", "--loop", loop, env=env) as found:
        yield found


def test_found(servers: compare.Pair, report: compare.Report) -> None:
    compare.check(servers, "found by the fuzzer", CASES, report)


def test_debug(site: pathlib.Path, tmp_path: pathlib.Path, report: compare.Report) -> None:
    env = {"FASTERAPI_ENGINE": "auto"}
    with compare.pair(site, tmp_path, "compiled_found_app:debug", env=env) as found:
        compare.check(found, "found by the fuzzer", [simple("/fails/a"), simple("/none")], report)
        told = found.ours.text("err")
    assert "Engine: every route is served through ASGI, since the application is in debug mode" in told


def test_unbuilt(site: pathlib.Path, tmp_path: pathlib.Path, report: compare.Report) -> None:
    """Middleware whose constructor fails is no fault of the compiler's."""
    env = {"FASTERAPI_ENGINE": "auto"}
    with compare.pair(site, tmp_path, "compiled_found_app:unbuilt", env=env) as found:
        compare.check(found, "found by the fuzzer", [simple("/probe"), simple("/none")], report)
        told = found.ours.text("err")
    why = "its middleware cannot be built: LookupError: no secret is set"
    assert f"INFO:     Engine: every route is served through ASGI, since {why}\n" in told


@pytest.mark.parametrize("lifespan", ["on", "off"])
def test_patching(
    site: pathlib.Path, tmp_path: pathlib.Path, report: compare.Report, lifespan: str
) -> None:
    """Without a lifespan, middleware is first made for the compiler."""
    options = ("compiled_found_app:patching", "--lifespan", lifespan)
    with compare.pair(site, tmp_path, *options, env={"FASTERAPI_ENGINE": "auto"}) as found:
        compare.check(found, "found by the fuzzer", [simple("/probe"), simple("/none")], report)
        told = found.ours.text("err")
    why = "ServerErrorMiddleware.__call__ was replaced by Patching.__init__.<locals>.traced() of "
    assert f"ASGI, since starlette.middleware.errors.{why}" in told


def test_order(servers: compare.Pair, report: compare.Report) -> None:
    """Last: nothing of the application is compiled after it."""
    answers = []
    for target in ("/order/first", "/reorder", "/order/first"):
        found = compare.check(servers, "found by the fuzzer", [simple(target)], report)
        answers.append(found[0].answers[0].body)
    assert answers == [b'"first"', b"null", b'"any first"']
