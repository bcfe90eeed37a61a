"""Endpoints that yield: lines of JSON, server-sent events, and pieces of their own.

They say nothing when they end: one whose client has gone may end at any time."""

from itertools import pairwise

from fuzz_compiled.outcomes import RAISED, RESULTS, Returned, special_of
from fuzz_compiled.values import Dice, Type, field_type

# What is named in the source of applications.
PRELUDE = '''
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from fastapi.sse import EventSourceResponse, ServerSentEvent

class Shouting(StreamingResponse):
    media_type = "text/shouting"

    def __init__(self, content, status_code=200, **others):
        super().__init__(content, status_code, headers={"X-Shouting": "é"}, **others)
'''

EVENTS = (
    "ServerSentEvent(data={'a': [1, None]}, event='e', id='1', retry=5)", "ServerSentEvent(comment='a\\nb')",
    "ServerSentEvent(raw_data='raw\\r\\nlines\\n', id='é')", "ServerSentEvent(data=Cat(lives=1))",
    "ServerSentEvent(data=[float('nan'), {'a': -float('inf')}])", "ServerSentEvent(event='only')",
    "ServerSentEvent(data='text\\nof two')", "ServerSentEvent(data=Thing(a=1))", "ServerSentEvent()",
    "ServerSentEvent(data=1, raw_data='both')", "ServerSentEvent(data=1, id='a\\0b')", "ServerSentEvent(data=Opaque())",
)  # fmt: skip
PIECES = ("'a'", "b'bytes'", "''", "b''", "memoryview(b'view')", "'é' * 3000", "'\\ud800'", "1", "bytearray(b'x')")
CLASSES = ("StreamingResponse", "StreamingResponse", "Shouting", "PlainTextResponse")


def response_of(dice: Dice, models: list[Type]) -> tuple[list[str], Returned]:
    """Keywords of the path operation about its answer."""
    options, returned = [], Returned(streams=dice.choice(("lines", "lines", "events", "pieces")))
    if dice.chance(0.6):
        returned.type = dice.choice(models) if dice.chance(0.7) else field_type(dice, models)
        made = dice.choice(("AsyncIterable", "AsyncIterator", "Iterable"))
        returned.annotation = f" -> {made}[{returned.type.text}]"
    if returned.streams == "events":
        options.append("response_class=EventSourceResponse")
    elif returned.streams == "pieces":
        options.append(f"response_class={dice.choice(CLASSES)}")
    if dice.chance(0.25):
        options.append(f"status_code={dice.choice((200, 201, 206, 500))}")
    for flag in ("unset", "defaults", "none"):
        if dice.chance(0.1):
            options.append(f"response_model_exclude_{flag}=True")
    if dice.chance(0.1):
        options.append("response_model_by_alias=False")
    return options, returned


def item(dice: Dice, told: str, returned: Returned) -> str:
    if returned.streams == "pieces":
        return dice.choice(PIECES[:4] if dice.chance(0.8) else PIECES)
    if returned.streams == "events" and dice.chance(0.5):
        return dice.choice(EVENTS)
    if returned.type is not None and dice.chance(0.9):
        return returned.type.python(dice)
    return told if dice.chance(0.4) else dice.choice(RESULTS[:14] if dice.chance(0.8) else RESULTS)


def of_endpoint(dice: Dice, word: str, arguments: list[str], told: str, returned: Returned) -> list[str]:
    lines = special_of(dice, arguments)
    if dice.chance(0.2):
        lines.append(f"if do == 5: raise {dice.choice(RAISED)}")
    for at in range(dice.choice((0, 1, 1, 2, 3))):
        lines.append(f"yield {item(dice, told, returned)}")
        if "async" in word and dice.chance(0.3):
            lines.append("await asyncio.sleep(0)")
        if dice.chance(0.3):
            lines.append(f"say('piece', {at}, var.get())")
        if dice.chance(0.1):
            lines.append("var.set('stream')")
        if dice.chance(0.5):
            lines.append(f"if do == 1: raise {dice.choice(RAISED)}")
        if dice.chance(0.2):
            lines.append("if do == 7: return")
    return [*lines, f"if do == 3: yield {item(dice, told, returned)}"]


def without_races(lines: list[str]) -> list[str]:
    """Events are made, in a thread if the function is `def`, from the beginning, while FastAPI
    ends dependencies of scope "function", in a thread if they are `def`: which of the two
    speaks first is chance under uvicorn as well. An application has the one or the other."""
    made = [
        line
        for decorator, line in pairwise(lines)
        if "response_class=EventSourceResponse" in decorator
    ]
    if made and any(line.startswith("def ") for line in [*made, *dependencies_of(lines)]):
        return [line.replace(", scope='function'", "") for line in lines]
    return lines


def dependencies_of(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith(("def dep", "async def dep"))]


__all__ = ["PRELUDE", "of_endpoint", "response_of", "without_races"]
