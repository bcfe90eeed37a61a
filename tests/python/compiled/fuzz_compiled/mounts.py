"""Applications below an application, and below those."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzz_compiled import layers

if TYPE_CHECKING:
    from fuzz_compiled.apps import Writer

PRELUDE = '''
from starlette.routing import Mount, Route

async def word(request):
    say("word", request.url.path, request.scope["root_path"])
    return PlainTextResponse(request.url.path)

async def lost(scope, receive, send):
    say("lost", scope["path"], scope["root_path"])
    await PlainTextResponse("lost", 404)(scope, receive, send)
'''
OPTIONS = ("", "", "", "redirect_slashes=False", "max_body_size=40")
PLAIN = "routes=[Route('/word', word), Route('/slash/', word), Mount('/in', routes=[Route('/x', word)])]"
PATHS = (
    *("", "/", "//", "/none", "/none/", "/word", "/word/", "/slash", "/slash//", "/deep", "/r1/"),
    *("/in", "/in/x/", "/%0A", "/%2F", "/openapi.json/", "/docs", "/same/me/", "/\xe9", "/a%3Fb/"),
)


def add(writer: Writer, above: str = "app", base: str = "", depth: int = 0) -> None:
    dice = writer.dice
    prefix = dice.choice(("/sub", "/sub", "/r", "/{p}/sub", "") if depth == 0 else ("/deep", "/sub", ""))
    place = base + prefix
    writer.places.append(place)
    if dice.chance(0.1):
        mounted = dice.choice((f"Starlette({PLAIN})", f"Mount('/in', {PLAIN})"))
        writer.add(f"{above}.mount({prefix!r}, {mounted})")
        return
    name = writer.new("sub")
    options = dice.choice(OPTIONS)
    if dice.chance(0.05):
        options = f"root_path={place!r}"
    writer.add(f"{name} = FastAPI({options})")
    if dice.chance(0.5):
        writer.handlers(name)
    before, writer.operations = writer.operations, []
    for _ in range(dice.randrange(1, 4)):
        writer.operation(name, place, [])
    writer.operations = before + writer.operations
    if depth < 2 and dice.chance(0.3):
        add(writer, name, place, depth + 1)
    if dice.chance(0.05):
        writer.add(f"{name}.router.default = lost")
    writer.add(*layers.lines(dice, name), f"{above}.mount({prefix!r}, {name})")
