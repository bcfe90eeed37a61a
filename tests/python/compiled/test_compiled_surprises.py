"""What FastAPI does and few expect: uvicorn shows that it does it, and both tiers do it too."""

import json
import pathlib

import compare
import pytest
from corpus import request, simple
from wire import Case, Outcome


@pytest.fixture(scope="module", params=["asgi", "auto"])
def servers(
    request: pytest.FixtureRequest,
    site: pathlib.Path,
    loop: str,
    tmp_path_factory: pytest.TempPathFactory,
):
    env = {"FASTERAPI_ENGINE": request.param}
    logs = tmp_path_factory.mktemp("surprises")
    with compare.pair(site, logs, "surprises_app:app", "--loop", loop, env=env) as found:
        yield found


@pytest.fixture
def same(servers: compare.Pair, report: compare.Report):
    """What uvicorn answers to the cases, which is what we answer."""
    return lambda *cases: compare.check(servers, "surprises", list(cases), report)


def bodies(outcomes: list[Outcome]) -> list[str]:
    return [outcome.answers[0].body.decode() for outcome in outcomes]


def statuses(outcomes: list[Outcome]) -> list[int | None]:
    return [outcome.answers[0].status for outcome in outcomes]


def post(path: str, body: bytes, kind: str | None = "application/json") -> Case:
    fields = [f"Content-Length: {len(body)}"] + ([f"Content-Type: {kind}"] if kind else [])
    return Case(f"{kind} {body!r}", [request(path, "POST", *fields, body=body)], ("POST",))


def in_order(servers: compare.Pair, *lines: str) -> None:
    """On standard output of both."""
    for server in servers:
        text = server.told("out", *lines)
        places = [text.index(line) for line in lines]
        assert places == sorted(places), (lines, text)


def test_dependencies_run_although_a_parameter_is_invalid(servers, same) -> None:
    found = same(simple("/first?n=x&word=run"), simple("/first?word=lacks"), simple("/first?n=1"))
    assert statuses(found) == [422, 422, 200]
    in_order(servers, "first runs run\n", "first caught [('query', 'n')]\n")


def test_errors_of_json_come_first(servers, same) -> None:
    found = same(post("/second?word=syntax", b"{bad"), post("/second?word=schema", b'{"a": "x"}'))
    assert statuses(found) == [422, 422]
    for server in servers:
        assert "second runs syntax" not in server.told("out", "second runs schema")
    (both,) = bodies(same(post("/second", b'{"a": "x"}')))
    assert [error["loc"] for error in json.loads(both)["detail"]] == [["query", "word"], ["body", "a"]]


def test_background_before_exit(servers, same) -> None:
    same(simple("/third?word=one"))
    in_order(servers, "third in the background one\n", "third exits one\n")


def test_two_kinds_of_json(same) -> None:
    assert bodies(same(*(simple(f"/annotated/{f}") for f in ("2.5e-7", "nan", "1e22")))) == [
        '{"a":0,"f":2.5e-7}',
        '{"a":0,"f":null}',
        '{"a":0,"f":1e+22}',
    ]
    found = same(*(simple(f"/plain/{f}") for f in ("2.5e-7", "1e22", "nan", "inf")))
    assert bodies(found) == ['{"f":2.5e-07}', '{"f":1e+22}', *["Internal Server Error"] * 2]
    assert bodies(same(simple("/annotated-keys"), simple("/plain-keys"))) == [
        '{"_sa_state":1,"b":2}',
        '{"b":2}',
    ]


def test_what_counts_as_json(same) -> None:
    body = b'{"a": 5}'
    kinds = ("application/json", "application/x+json", None, "text/json", "application/jsonp")
    found = same(*(post("/fifth", body, kind) for kind in kinds))
    assert statuses(found) == [200, 200, 422, 422, 422]
    assert json.loads(bodies(found)[2])["detail"][0]["input"] == '{"a": 5}'


def test_newlines_slashes_and_long_numbers_in_paths(same) -> None:
    targets = ("/m%0A", "/path/a%0Ab", "/path/a%0A", "/two/a%2Fb", "/two/a%2Fb/c", "/path/a%2Fb")
    found = same(*map(simple, targets))
    assert statuses(found) == [200, 404, 200, 200, 404, 200]
    assert bodies(found)[3] == '["a","b"]'
    assert statuses(same(simple("/int/" + "1" * 4300), simple("/int/" + "1" * 4301))) == [200, 500]


def test_which_of_several(same) -> None:
    found = same(
        simple("/which?q=1&q=2", "GET", "H: 1", "H: 2", "Cookie: c=1; c=2"),
        simple("/which?q=", "GET", "H:", "Cookie: c="),
        post("/form", b"q=", "application/x-www-form-urlencoded"),
        simple("/defaults"),
        simple("/defaults"),
    )
    assert bodies(found)[:2] == ['["2","1","2"]', '["","",""]']
    assert json.loads(bodies(found)[2])["detail"][0]["type"] == "missing"
    assert bodies(found)[3:] == ['["no number",1]'] * 2


def test_a_cached_dependency_is_validated_again(servers, same) -> None:
    found = same(simple("/eighth?n=x"), simple("/eighth?n=2"))
    assert len(json.loads(bodies(found)[0])["detail"]) == 2
    for server in servers:
        assert server.text("out").count("eighth runs") == 1


def test_connections(same) -> None:
    failed, old, odd = same(
        simple("/fails"),
        Case("1.0", [b"GET /m HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\r\n"]),
        Case("not ASCII", [b"GET /\xff HTTP/1.1\r\nHost: test\r\n\r\n"]),
    )
    assert not failed.kept and "connection" not in dict(failed.answers[0].fields)
    assert not old.kept
    assert odd.answers[0].status == 400


def test_methods(same) -> None:
    head, partial, several = same(
        Case("HEAD", [request("/m", "HEAD")], ("HEAD",)),
        Case("POST", [request("/partial", "POST")], ("POST",)),
        Case("POST several", [request("/several", "POST")], ("POST",)),
    )
    assert statuses([head, partial, several]) == [405, 405, 405]
    assert dict(partial.answers[0].fields)["allow"] == "GET"
    assert dict(several.answers[0].fields)["allow"] == "DELETE, PATCH, PUT"
