"""What leaks.py asks plans for: every kind of them, behind every kind of middleware, with
clients that go and tasks that are cancelled at every point where a request waits."""

from corpus import request
from leak_kinds import Kind, body

ITEM = b'{"name": "abc", "price": 1.5, "tags": ["x"]}'
FORM = b"name=abc"
# A request of /long is over after fewer turns of the loop.
POINTS = 14

PATHS = {
    "/plain": 200,
    "/direct": 200,
    "/query/1?q=a": 200,
    "/rows": 200,
    "/tree?name=b": 200,
    "/yield": 200,
    "/def": 200,
    "/def-yield": 200,
    "/def-raises": 409,
    "/returned": 202,
    "/background": 200,
    "/request": 200,
    "/http": 418,
    "/http-later": 418,
    "/refused": 403,
    "/handled": 410,
    "/times-out": 200,
    "/group": 200,
    "/query/x": 422,
    "/nowhere": 404,
}
# After these the server closes the connection.
ENDS = {
    "/raises": 500,
    "/raises-later": 500,
    "/cancels-itself": 500,
    "/streamed": 200,
    "/lines": 200,
    "/lines-def": 200,
    "/lines-refused": 200,
    "/events": 200,
    "/events-raise": 200,
    "/raw": 200,
}


def plan(app: str, name: str, pieces: list[bytes], status: int | None, **more) -> Kind:
    title = name if app == "app" else f"{app} {name}"
    return Kind(f"plan {title}", f"leak_plans_app:{app}", pieces, status, **more)


def answered(app: str) -> list[Kind]:
    kept = [plan(app, path, [request(path)], status, pipelined=True)
            for path, status in PATHS.items()]  # fmt: skip
    last = [plan(app, path, [request(path, "GET", "Connection: close")], status)
            for path, status in ENDS.items()]  # fmt: skip
    form = request("/form", "POST", "Content-Type: application/x-www-form-urlencoded",
                   f"Content-Length: {len(FORM)}", body=FORM)  # fmt: skip
    bodies = [
        plan(app, "/body", [body("/body", ITEM)], 200, pipelined=True),
        plan(app, "/body refused", [body("/body", b"{}")], 422, pipelined=True),
        plan(app, "/form", [form], 200, pipelined=True),
    ]
    return kept + last + bodies


def broken_off(app: str) -> list[Kind]:
    one = [request("/long/a")]
    points = range(POINTS) if app == "app" else range(0, POINTS, 3)
    gone = [plan(app, f"/long, gone after {n} turns", one, None, turns=n) for n in points]
    cut = [plan(app, f"/long, cancelled after {n} turns", one, None, turns=n, cancelled=True)
           for n in points]  # fmt: skip
    return [
        *gone,
        *cut,
        plan(app, "/forever, cancelled", [request("/forever")], None, turns=8, cancelled=True),
        plan(app, "/def, gone", [request("/def")], None, turns=1),
        plan(app, "/def-yield, cancelled", [request("/def-yield")], None, cancelled=True),
        plan(app, "/streamed, gone", [request("/streamed")], None, turns=2),
        *[
            plan(app, f"{path}, {how} after {n} turns", [request(path)], None, turns=n, **more)
            for path in ("/lines", "/lines-def", "/lines-forever", "/events", "/events-forever")
            for how, more in (("gone", {}), ("cancelled", {"cancelled": True}))
            for n in ((4, 9) if app == "app" else (6,))
        ],
        plan(app, "/background, cancelled", [request("/background")], None, cancelled=True),
        plan(app, "/body, gone in it", [body("/body", ITEM)[:-9]], None),
        plan(app, "/long, with more behind it", [request("/long/a") * 3], None, turns=2),
    ]


APPS = ["app", "behind_known", "behind_own", "behind_function"]
PLANS = [kind for app in APPS for kind in answered(app) + broken_off(app)]
