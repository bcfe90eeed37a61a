"""How dependencies and endpoints end: what they return, raise, yield, or leave for later."""

import dataclasses

from fuzz_compiled.values import Dice, Type, field_type, listed, optional

RESULTS = (
    *("None", "[]", "{}", "''", "0", "True", "1.5", "2.5e-7", "1e22", "2**70", "-0.0", "'é漢\\x7f\\x00\\n\"\\\\'"),
    *("{'a': {'b': [1, None, 'x']}}", "{'_sa_x': 1, '_s': 2}", "{1: 2, None: 3, True: 4, 1.5: 5}", "{Color.red: 1}"),
    *("float('nan')", "[float('inf')]", "{'a': -float('inf')}", "'\\ud800'", "{'\\ud800': 1}", "b'abc'", "b'\\xff'"),
    *("Thing(a=1, name='x')", "Rooted([1])", "Pet", "Box[int](held=2)", "{1}", "(1, 2)", "frozenset()", "[Color.blue, Level.low]", "UUID(int=1)", "date(2026, 1, 2)", "Decimal('1.10')"),
    *("timedelta(seconds=1.5)", "Point(1)", "[Point(1)]", "Opaque()", "Numbers()", "range(3)", "Ellipsis", "int"),
    *("{'a': Opaque()}", "[[[[[]]]]]", "'x' * 5000", "[{'i': i, 'v': i / 7} for i in range(40)]", "Exception('e')"),
    *("{'a': 1, 'b': {'a': (1,)}}", "{(1, 2): 3}", "[True, False, None]", "'</script>'", "' '"),
)
ANSWERS = (
    "PlainTextResponse('plain', 202, {'X-A': 'b'})", "JSONResponse({'a': 1.5})", "HTMLResponse('<p>é')",
    "RedirectResponse('/elsewhere?é')", "Response(status_code=204)", "Response(b'raw', media_type='image/png')",
    "Response(status_code=304)", "PlainTextResponse('bg', background=BackgroundTask(later, 'own'))",
    "StreamingResponse(iter(['a', 'b', '']), media_type='text/plain')", "Response('x', headers={'X-A': '1', 'x-a': '2'})",
    "JSONResponse('x', background=BackgroundTask(fails, 'own'))", "Response(status_code=205)", "StreamingResponse(streamed(), 206)", "FileResponse('/nowhere')",
)  # fmt: skip
RAISED = (
    "HTTPException(409, {'why': 'é'}, {'X-Why': 'y'})", "HTTPException(404)", "HTTPException(418, [1, 2])",
    "HTTPException(204)", "StarletteHTTPException(401, 'no')", "Known('k')", "ValueError('v')", "KeyError('é')",
    "RequestValidationError([{'type': 't', 'loc': ('a',), 'msg': 'm', 'input': 1}])", "HTTPException(500, 'own')",
    "asyncio.CancelledError()", "ExceptionGroup('g', [ValueError('in')])", "StopIteration('s')", "asyncio.TimeoutError()", "HTTPException(409, Opaque())",
)  # fmt: skip


@dataclasses.dataclass
class Returned:
    """What the endpoint is declared to return."""

    annotation: str = ""
    type: Type | None = None
    streams: str = ""  # what it yields


def response_of(dice: Dice, models: list[Type]) -> tuple[list[str], Returned]:
    """Keywords of the path operation about its answer."""
    options, returned = [], Returned()
    if dice.chance(0.25):
        options.append(f"status_code={dice.choice((200, 201, 202, 203, 206, 404, 500, 418, 299))}")
    how = dice.random()
    if how < 0.45:
        kind = dice.choice(models) if dice.chance(0.6) else field_type(dice, models)
        if dice.chance(0.3):
            kind = listed(kind)
        elif dice.chance(0.15):
            kind = optional(kind)
        returned.type = kind
        if dice.chance(0.5):
            returned.annotation = f" -> {kind.text}"
        else:
            options.append(f"response_model={kind.text}")
        for flag, share in (("unset", 0.15), ("defaults", 0.1), ("none", 0.1)):
            if dice.chance(share):
                options.append(f"response_model_exclude_{flag}=True")
        if dice.chance(0.1):
            options.append("response_model_by_alias=False")
        if dice.chance(0.1):
            options.append(f"response_model_{dice.choice(('include', 'exclude'))}={{'a', 'name'}}")
    elif how < 0.5:
        returned.annotation = dice.choice((" -> None", " -> Any", " -> dict", " -> Response"))
        if "Response" in returned.annotation or dice.chance(0.3):
            options.append("response_model=None")
    if dice.chance(0.08):
        options.append(f"response_class={dice.choice(('JSONResponse', 'PlainTextResponse', 'HTMLResponse', 'Response'))}")
    return options, returned


def special_of(dice: Dice, arguments: list[str]) -> list[str]:
    """What it does with its tasks and its response."""
    lines = []
    if "tasks: BackgroundTasks" in arguments:
        lines += dice.choices(("tasks.add_task(say, 'task')", "tasks.add_task(later, 'task')", "if do == 3: tasks.add_task(fails, 'task')")
                              if "do: int = 0" in arguments else ("tasks.add_task(say, 'task of dep')",), k=dice.randrange(1, 3))  # fmt: skip
    if "response: Response" in arguments:
        lines += dice.sample(("response.headers['X-Own'] = 'é'", "response.set_cookie('c', 'v')", "response.status_code = 203",
                              "response.headers['content-type'] = 'text/x'", "response.headers.append('x-own', '2')",
                              "del response.headers['x-none']"), dice.randrange(1, 3))  # fmt: skip
    return lines


def of_dependency(dice: Dice, arguments: list[str]) -> list[str]:
    lines = special_of(dice, arguments)
    if dice.chance(0.2):
        lines.append("var.set('set')")
    names = [a.partition(":")[0] for a in arguments if ": int" in a or ": str" in a]
    if names and dice.chance(0.4):
        lines.append(f"if str({dice.choice(names)}) in ('5', 'abc', '7'): raise {dice.choice(RAISED[:8])}")
    elif dice.chance(0.03):
        lines.append(f"raise {dice.choice(RAISED)}")
    return lines


def yielding(dice: Dice, name: str, told: str) -> list[str]:
    """The part from the yield on."""
    after = f"say({name!r}, 'exit', var.get())"
    if dice.chance(0.08):
        after += "; raise Known('exit')"
    how = dice.random()
    if how < 0.3:
        return [f"yield {told}", after]
    if how < 0.6:
        return ["try:", f"    yield {told}", "finally:", f"    {after}"]
    ends = dice.choice(("raise", "raise", "raise", "raise HTTPException(410, 'turned')", "raise ValueError('turned') from error", "pass"))
    return ["try:", f"    yield {told}", "except Exception as error:", f"    say({name!r}, 'caught', repr(error))",
            f"    {ends}", "finally:", f"    {after}"]  # fmt: skip


def of_endpoint(dice: Dice, word: str, arguments: list[str], told: str, returned: Returned) -> list[str]:
    lines = special_of(dice, arguments)
    if "async" in word:
        lines += [line for line, share in (
            ("await asyncio.sleep(0)", 0.12), ("await asyncio.sleep(0.001)", 0.01),
            ("await asyncio.create_task(later('task'))", 0.02),
            ("say(asyncio.current_task() is not None, await asyncio.gather(later(1), later(2)))", 0.02),
            ("async with asyncio.timeout(5): await later('timed')", 0.02),
        ) if dice.chance(share)]  # fmt: skip
    if "request: Request" in arguments and "async" in word:
        lines += [line for line, share in (
            ("say(await request.body())", 0.15), ("say([c async for c in request.stream()])", 0.1),
            ("request.state.x = 1; say(request.state.x)", 0.1), ("say(await request.is_disconnected())", 0.1),
            ("request.scope['path'] = '/other'", 0.05), ("say(await request.form())", 0.03),
        ) if dice.chance(share)]  # fmt: skip
    if dice.chance(0.1):
        lines.append("var.set('endpoint')")
    lines.append(f"if do == 1: raise {dice.choice(RAISED)}")
    if dice.chance(0.5):
        lines.append(f"if do == 5: return {dice.choice(ANSWERS)}")
    if dice.chance(0.5):
        lines.append(f"if do == 7: return {dice.choice(RESULTS)}")
    if "async" in word and dice.chance(0.2):
        lines += ["if do == -5:", "    await asyncio.sleep(0)", f"    raise {dice.choice(RAISED)}"]
    if "body" in told and dice.chance(0.1):
        lines.append("if do == 0: return body")
    if returned.type is not None:
        lines.append(f"return {returned.type.python(dice)}")
    elif dice.chance(0.6):
        lines.append(f"return {told}")
    else:
        lines.append(f"return {dice.choice(RESULTS)}")
    return lines


__all__ = ["ANSWERS", "RAISED", "RESULTS", "Returned", "of_dependency", "of_endpoint", "response_of", "special_of", "yielding"]
