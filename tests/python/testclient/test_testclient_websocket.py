"""WebSocket sessions of fasterapi.testclient.TestClient beside Starlette's."""

import contextlib

import pytest
from starlette.testclient import TestClient as StockClient
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect
from testclient_app import app, happened
from testclient_fixtures import client, make_client, package  # noqa: F401



def test_messages(client: StockClient) -> None:
    with client.websocket_connect("/ws_echo", subprotocols=["one", "two"]) as session:
        assert session.accepted_subprotocol == "one"
        assert session.extra_headers == [(b"x-a", b"1")]
        for text in ("", "h\u00e9", "x" * 200000):
            session.send_text(text)
            assert session.receive_text() == text
        session.send_bytes(b"\0" * 70000)
        assert session.receive_bytes() == b"\0" * 70000
        session.send_json({"a": [1]})
        assert session.receive_json() == {"a": [1]}
        session.send_json({"b": None}, mode="binary")
        assert session.receive_json(mode="binary") == {"b": None}
        for number in range(50):
            session.send_text(str(number))
        assert [session.receive_text() for _ in range(50)] == [str(n) for n in range(50)]
    assert happened == ["1000"]


def test_no_subprotocol(client: StockClient) -> None:
    with client.websocket_connect("/ws_echo") as session:
        assert session.accepted_subprotocol is None


def test_same_websocket_scope(package) -> None:
    told = []
    for make in (StockClient, package.TestClient):
        client = make(app, root_path="/api", client=("10.0.0.1", 1))
        url = "wss://testserver:81/ws_scope?a=b"
        with client.websocket_connect(url, ["a", "b"], headers={"x-a": "1"}) as session:
            told.append(session.receive_text().replace("('http_version', '1.1'), ", ""))
    assert told[0] == told[1]


def test_closed_by_the_application(client: StockClient) -> None:
    with client.websocket_connect("/ws_scope") as session:
        session.receive_text()
        with pytest.raises(WebSocketDisconnect) as caught:
            session.receive_text()
        assert (caught.value.code, caught.value.reason) == (4002, "told")
        session.send_text("into the void")


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "going"), (4999, "h\u00e9")])
def test_closed_by_the_test(client: StockClient, code: int, reason: str) -> None:
    with client.websocket_connect("/ws_echo") as session:
        session.close(code, reason)
    assert happened == [f"{code} {reason}".strip()]


def test_refused(client: StockClient) -> None:
    with pytest.raises(WebSocketDisconnect) as caught:
        client.websocket_connect("/ws_refuses").__enter__()
    assert (caught.value.code, caught.value.reason) == (4003, "not you")


def test_denied(client: StockClient) -> None:
    with pytest.raises(WebSocketDenialResponse) as caught:
        client.websocket_connect("/ws_denies").__enter__()
    denial = caught.value
    assert (denial.status_code, denial.json()) == (418, {"no": "entry"})
    assert denial.headers.raw == [
        (b"x-why", b"because"),
        (b"content-length", b"14"),
        (b"content-type", b"application/json"),
    ]


@pytest.mark.parametrize("query", ["", "?late=1"])
def test_websocket_exception(client: StockClient, query: str) -> None:
    with pytest.raises(LookupError, match="on purpose"):
        with client.websocket_connect(f"/ws_fails{query}") as session:
            session.send_text("x")
            session.receive_text()


def test_websocket_is_cancelled(client: StockClient) -> None:
    with client.websocket_connect("/ws_waits"):
        pass
    assert happened == ["cancelled"]


def test_exception_of_the_test(client: StockClient) -> None:
    with contextlib.suppress(ZeroDivisionError), client.websocket_connect("/ws_echo"):
        raise ZeroDivisionError
    assert happened == ["1000"]


def test_websocket_message_that_no_client_sends(package) -> None:
    with package.TestClient(app).websocket_connect("/ws_echo") as session:
        with pytest.raises(RuntimeError):
            session.send({"type": "websocket.connect"})


def test_websocket_on_trio_is_counted_apart(package) -> None:
    elsewhere = package.counters.elsewhere.copy()
    with pytest.raises(WebSocketDisconnect):
        package.TestClient(app, backend="trio").websocket_connect("/ws_refuses").__enter__()
    assert package.counters.elsewhere - elsewhere == {"backend trio": 1}
