"""Runners: a coroutine function for each route that needs more than one call.

It is written as Python source from the tree of dependencies, once, when the route is
compiled, and does what fastapi.routing.request_response(), get_request_handler() and
solve_dependencies() do with the values that C has found: the same calls in the same
order."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

from fastapi import BackgroundTasks
from fastapi.dependencies.models import (
    Dependant,
    _get_cache_key,
    _get_computed_scope,
    _get_oauth_scopes,
    _is_async_gen_callable,
    _is_coroutine_callable,
    _is_gen_callable,
)
from fastapi.dependencies.utils import _solve_generator
from fastapi.exceptions import FastAPIError
from fastapi.security import SecurityScopes
from fastapi.utils import is_body_allowed_for_status_code
from starlette.requests import Request
from starlette.responses import Response

from fasterapi._compile._build import builder_of, needs_builder
from fasterapi._compile._errors import add_faults, refusal_of
from fasterapi._compile._extract import (
    answer_error,
    extractor_of,
    prime,
    reader_of,
)
from fasterapi._compile._frame import Frame, add_background
from fasterapi._compile._generators import is_stream, stream_of
from fasterapi._compile._params import BODY, MEMBER, Row, native_rows
from fasterapi._compile._reasons import NotCompiled
from fasterapi._compile._source import Source
from fasterapi._compile._tree import may_change_request, shows_scope
from fasterapi._compile._yields import Entered, in_thread, leave, leave_with

Runner = Callable[..., Coroutine[Any, Any, None]]

# What request_response() of FastAPI 0.165 says.
_NOT_AWAITED = (
    "Response not awaited. There's a high chance that the "
    "application code is raising an exception and a dependency with yield "
    "has a block with a bare except, or a block with except Exception, "
    "and is not raising the exception again. Read more about it in the "
    "docs: https://fastapi.tiangolo.com/tutorial/dependencies/dependencies-with-yield/#dependencies-with-yield-and-except"
)


class _Holder:
    """What _solve_generator() wants of a request."""

    __slots__ = ("scope",)

    def __init__(self, scope: dict[str, Any]) -> None:
        self.scope = scope


def _new_response() -> Response:
    response = Response()
    del response.headers["content-length"]
    response.status_code = None  # type: ignore[assignment]
    return response


def _bodiless(body: bytes, response: Response) -> Response:
    """The answer when the endpoint has asked for a status that takes no body."""
    made = Response(body, response.status_code, media_type="application/json")
    made.body = b""
    made.headers.raw.extend(response.headers.raw)
    return made


class _Writer:
    """`checked`: some of the values that C gives are faults."""

    def __init__(
        self,
        effective: Any,
        request_of: Callable[[Any], Any],
        behind: bool,
        checked: bool = False,
    ) -> None:
        self.checked = checked
        self.effective = effective
        self.streams = is_stream(effective)
        # Whether the application sees the scope, and the stacks in it.
        shown = self.streams or shows_scope(effective, effective.dependant)
        self.visible = behind or shown
        self.source = Source()
        self.rows: list[Row] = []
        self.names: list[str] = []
        self.solved: dict[Any, str] = {}
        self.uses: set[str] = set()
        self.yields: set[str] = set()  # the scopes of generators that the runner enters
        self.variables = 0
        self.unsure: set[str] = set()  # variables that an error may leave without a value
        self.own = 0  # nodes whose values FastAPI's own functions take
        self.changed = False  # the Request, perhaps, by a dependency
        self.ran = False  # whether anything of the application has, when a line is reached
        self.source.objects.update(
            AsyncExitStack=AsyncExitStack,
            BackgroundTasks=BackgroundTasks,
            FastAPIError=FastAPIError,
            Entered=Entered,
            SecurityScopes=SecurityScopes,
            Holder=_Holder,
            Response=Response,
            add_faults=add_faults,
            answer_error=answer_error,
            bodiless=_bodiless,
            is_body_allowed=is_body_allowed_for_status_code,
            leave=leave,
            leave_with=leave_with,
            new_response=_new_response,
            missing=object(),
            not_awaited=_NOT_AWAITED,
            prime=prime,
            read=reader_of(effective),
            refuse=refusal_of(effective),
            request_of=request_of,
            solve_generator=_solve_generator,
        )

    # ---- values ----

    def _extracted(self, dependant: Dependant, embed: bool) -> list[str]:
        found = native_rows(dependant, self.effective, embed)
        if found is None or (self.changed and found[0]):
            return [self._extracted_here(dependant, embed)]
        keywords = []
        for name, row in zip(*found, strict=True):
            variable = f"p{len(self.rows)}"
            self.rows.append(row)
            self.names.append(variable)
            keywords.append(f"{name}={variable}")
        if self.checked and keywords:
            self.own += 1
            given = ", ".join(self.names[-len(keywords) :])
            self.source.add(f"add_faults(errors, {given})")
        return keywords

    def _extracted_here(self, dependant: Dependant, embed: bool) -> str:
        self.own += 1
        self.ran = True
        self.uses.add("request")
        if dependant.body_params:
            self.uses.add("body")
        extract = self.source.name("extract", extractor_of(self.effective, dependant, embed))
        self.source.add(f"o{self.own} = await {extract}(request, body, errors)")
        return f"**o{self.own}"

    def _special(self, dependant: Dependant) -> list[str]:
        found = []
        for kind in ("http_connection", "request"):
            if name := getattr(dependant, f"{kind}_param_name"):
                self.uses.add("request")
                found.append(f"{name}=request")
        if name := dependant.background_tasks_param_name:
            self.uses.add("tasks")
            found.append(f"{name}=tasks")
        if name := dependant.response_param_name:
            self.uses.add("response")
            found.append(f"{name}=own")
        if name := dependant.security_scopes_param_name:
            scopes = self.source.name("scopes", _get_oauth_scopes(dependant=dependant))
            found.append(f"{name}=SecurityScopes(scopes=list({scopes}))")
        return found  # a WebSocket is not given where there is none: the default holds

    # ---- dependencies ----

    def keywords_of(self, dependant: Dependant, embed: bool) -> str:
        """Solves what it depends on; gives the arguments of its own call."""
        keywords = [self._dependency(sub, embed) for sub in dependant.dependencies]
        keywords += self._extracted(dependant, embed) + self._special(dependant)
        return ", ".join(keyword for keyword in keywords if keyword)

    def _dependency(self, sub: Dependant, embed: bool) -> str:
        at, own = len(self.source.lines), self.own
        arguments = self.keywords_of(sub, embed)
        if self.own > own:
            self.source.add_at(at, f"n{own} = len(errors)")
        condition = f"len(errors) == n{own}" if self.own > own else ""
        key = _get_cache_key(dependant=sub)
        if sub.use_cache and key in self.solved:
            variable = self.solved[key]
            if variable in self.unsure:
                more = f" and {condition}" if condition else ""
                self._assign(variable, sub, arguments, f"{variable} is missing{more}")
        else:
            variable = f"v{self.variables}"
            self.variables += 1
            if condition:
                self.unsure.add(variable)
                self.source.add(f"{variable} = missing")
            self._assign(variable, sub, arguments, condition)
            cached = self.solved.setdefault(key, variable)
            if cached in self.unsure and cached != variable:
                self.source.add(f"if {cached} is missing:")
                self.source.add(f"    {cached} = {variable}")
        return f"{sub.name}={variable}" if sub.name is not None else ""

    def _assign(self, variable: str, sub: Dependant, arguments: str, condition: str) -> None:
        depth = self.source.depth
        if condition:
            self.source.add(f"if {condition}:")
            self.source.depth += 1
        is_generator = _is_gen_callable(sub.call) or _is_async_gen_callable(sub.call)
        if sub.concurrency is not None and not is_generator:
            semaphore = self.source.name("semaphore", sub.concurrency.get_semaphore)
            self.source.add(f"async with {semaphore}():")
            self.ran = True
            self.source.depth += 1
        self._solve(sub, variable, arguments)
        self.source.depth = depth
        self.changed = self.changed or may_change_request(sub)

    def _solve(self, sub: Dependant, variable: str, arguments: str) -> None:
        assert sub.call is not None
        of_loop = _is_async_gen_callable(sub.call)
        if not of_loop and not _is_gen_callable(sub.call):
            self.source.add(f"{variable} = {self._call(sub, arguments)}")
            return
        scope = "function" if _get_computed_scope(dependant=sub) == "function" else "request"
        if self.visible:
            self._solve_in_stack(sub, variable, arguments, f"{scope}_stack")
        elif of_loop:
            self._enter(sub, variable, arguments)
            self.source.add(f"{scope}_entered.append(Entered({variable}_of))")
        else:
            make = self.source.name("make", in_thread(sub.call))
            self.source.add(f"{variable}_of = {make}({self._thread()}, run, {arguments})")
            self.source.add(f"{variable} = await {variable}_of.__aenter__()")
            self.source.add(f"{scope}_entered.append({variable}_of)")
        self.yields.add(scope)
        self.ran = True

    def _enter(self, sub: Dependant, variable: str, arguments: str) -> None:
        """As asynccontextmanager() does."""
        call = self.source.name("call", sub.call)
        self.source.add(f"{variable}_of = {call}({arguments})")
        self.source.add("try:")
        self.source.add(f"    {variable} = await anext({variable}_of)")
        self.source.add("except StopAsyncIteration:")
        self.source.add('    raise RuntimeError("generator didn\'t yield") from None')

    def _solve_in_stack(
        self, sub: Dependant, variable: str, arguments: str, stack: str
    ) -> None:
        name = self.source.name("node", sub)
        self.source.add(
            f"{variable} = await solve_generator(dependant={name}, stack={stack}, "
            f"sub_values=dict({arguments}), request=holder)"
        )

    def _call(self, sub: Dependant, arguments: str) -> str:
        call = self.source.name("call", sub.call)
        if _is_coroutine_callable(sub.call):
            self.ran = True
            return f"await {call}({arguments})"
        return f"await {self._thread(sub.call)}({call}, {arguments})"

    def _thread(self, call: Any = None) -> str:
        """What makes a call in a thread, of `call` with keywords."""
        if call is not None and "func" in inspect.signature(call).parameters:
            raise NotCompiled("FastAPI cannot call a function whose parameter is named func")
        first, self.ran = not self.ran, True
        return "run.thread" if first else "run.thread_later"

    # ---- the whole ----

    def write(self) -> Runner:
        effective, dependant = self.effective, self.effective.dependant
        body = Source()
        body.objects = self.source.objects
        self.source = body
        arguments = self.keywords_of(dependant, effective._embed_body_fields)
        if self.own:
            self._add_refusal()
        call = body.name("endpoint", dependant.call)
        tasks = "tasks" if "tasks" in self.uses else "None"
        response = "own" if "response" in self.uses else "None"
        if self.streams:
            self.uses.add("request")
            stream = body.name("stream", stream_of(effective))
            values = f"{call}({arguments}), request_stack, {response}, {tasks}"
            body.add(f"response = await {stream}(run, {values})")
            return self._compiled(body)
        if _is_coroutine_callable(dependant.call):
            body.add(f"result = await {call}({arguments})")
        else:
            body.add(f"result = await {self._thread(dependant.call)}({call}, {arguments})")
        if needs_builder(effective):
            build = body.name("build", builder_of(effective))
            body.add("if isinstance(result, Response):")
            body.add("    response = result")
            body.depth += 1
            add_background(body, self.uses)
            body.depth -= 1
            body.add("else:")
            body.add(f"    response = await {build}(run, result, {response}, {tasks})")
        else:
            body.add("response = run.prepare(result)")
        return self._compiled(body)

    def _has_body(self) -> bool:
        """C has read it."""
        return any(row[0] in (BODY, MEMBER) for row in self.rows)

    def _add_refusal(self) -> None:
        self.source.add("if errors:")
        self.source.depth += 1
        if "body" not in self.uses and not self.checked:
            body = "await read(run, request, None)" if self._has_body() else "None"
            self.source.add(f"body = {body}")
        self.source.add("raise refuse(run, body, errors)")
        self.source.depth -= 1

    def _compiled(self, body: Source) -> Runner:
        frame = Frame(
            uses=self.uses,
            yields=self.yields,
            visible=self.visible,
            checked=self.checked,
            refuses=self.own > 0,
            primes=self.changed,
            has_body=self._has_body(),
            prepared=not self.streams and not needs_builder(self.effective),
        )
        lines = frame.around(body)
        given = ("run", "body") if self.checked else ("run",)
        parameters = ", ".join([*given, *self.names])
        code = f"async def runner({parameters}):\n" + "\n".join(lines) + "\n"
        names: dict[str, Any] = dict(body.objects)
        path = f"<compiled {self.effective.path}>"
        exec(compile(code, path, "exec"), names)  # noqa: S102 - written here and in Frame
        runner: Runner = names["runner"]
        return runner


def runner_of(
    effective: Any, request_of: Callable[[Any], Request], behind: bool
) -> tuple[Runner, tuple[str, ...], tuple[Row, ...]]:
    """The coroutine function, the keywords that C calls it with, and their rows. `behind`:
    middleware of the user sees the scope."""
    writer = _Writer(effective, request_of, behind)
    runner = writer.write()
    return runner, tuple(writer.names), tuple(writer.rows)


def checked_of(effective: Any, request_of: Callable[[Any], Request], behind: bool) -> Runner:
    """checked(run, body, *values): the runner of a request in which some of the values are
    faults. Dependencies whose own values are valid are called all the same."""
    return _Writer(effective, request_of, behind, checked=True).write()
