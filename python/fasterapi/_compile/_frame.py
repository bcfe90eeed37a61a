"""What stands around the calls of a runner: the objects that they share, the stacks in which
dependencies end, and the answer."""

from __future__ import annotations

import dataclasses

from fasterapi._compile._source import Source


def add_background(text: Source, uses: set[str]) -> None:
    """A Response of the endpoint's own takes the tasks if it has none; one that was made
    for it was given them, and may have left them."""
    if "tasks" in uses:
        text.add("if response.background is None:")
        text.add("    response.background = tasks")


@dataclasses.dataclass(frozen=True)
class Frame:
    uses: set[str]  # of what there is for a request: "request", "body", "response", "tasks"
    yields: set[str]  # the scopes of generators that the runner enters
    visible: bool  # the application sees the scope, and the stacks in it
    checked: bool  # some of the values that C gives are faults
    refuses: bool  # the runner itself, by 422
    primes: bool  # the Request, as a dependency may change it
    has_body: bool  # C has read it
    prepared: bool  # C makes the answer of what the endpoint returns

    def around(self, body: Source) -> list[str]:
        text = Source()
        if self.refuses:
            text.add("errors = []")
        if "tasks" in self.uses:
            text.add("tasks = BackgroundTasks()")
        if "response" in self.uses:
            text.add("own = new_response()")
        if "request" in self.uses:
            text.add("request = request_of(run)")
            if self.has_body:  # as FastAPI has read it
                text.add("request._body = run.body()")
        if self.visible and ("request" in self.uses or self.yields):
            self._add_in_stacks(text, body)
        elif self.yields:
            self._add_entered(text, body)
        else:
            text.lines += body.lines
            self._add_answer(text)
        return text.lines

    def _add_in_stacks(self, text: Source, body: Source) -> None:
        """With the stacks that FastAPI puts into the scope."""
        if "request" in self.uses:
            text.add("async with AsyncExitStack() as middleware_stack:")
            text.depth += 1
            text.add('request.scope["fastapi_middleware_astack"] = middleware_stack')
            text.add("try:")
            text.depth += 1
        text.add("answered = False")
        text.add("async with AsyncExitStack() as request_stack:")
        text.depth += 1
        scope = "request.scope" if "request" in self.uses else "getattr(run, 'scope', {})"
        text.add(f"holder = Holder({scope})")
        text.add('holder.scope["fastapi_inner_astack"] = request_stack')
        text.add("async with AsyncExitStack() as function_stack:")
        text.add('    holder.scope["fastapi_function_astack"] = function_stack')
        text.depth += 1
        self._add_reading(text)
        text.depth -= 1
        text.indented(body)
        self._add_answer(text)
        text.add("answered = True")
        text.depth -= 1
        text.add("if not answered:")
        text.add("    raise FastAPIError(not_awaited)")
        if "request" in self.uses:
            text.depth -= 1
            text.add("except Exception as error:")
            text.add("    await answer_error(run, request, error)")

    def _add_entered(self, text: Source, body: Source) -> None:
        """With the lists of _yields.py."""
        text.add("answered = False")
        text.add("request_entered = []")
        text.add("try:")
        text.depth += 1
        if "function" in self.yields:
            text.add("function_entered = []")
            text.add("try:")
            text.indented(body)
            self._add_leave(text, "function_entered")
        else:
            text.lines += ["    " + line for line in body.lines]
        self._add_answer(text)
        text.add("answered = True")
        text.depth -= 1
        self._add_leave(text, "request_entered")
        text.add("if not answered:")
        text.add("    raise FastAPIError(not_awaited)")

    def _add_leave(self, text: Source, entered: str) -> None:
        text.add("except BaseException as error:")
        text.add(f"    if not await leave_with({entered}, error):")
        text.add("        raise")
        text.add("else:")
        text.add(f"    await leave({entered})")

    def _add_reading(self, text: Source) -> None:
        """What comes before the first dependency."""
        if "body" in self.uses:
            text.add("body = await read(run, request, middleware_stack)")
        elif self.refuses and not self.checked:
            text.add("body = None")
        if self.primes:
            text.add("prime(request)")

    def _add_answer(self, text: Source) -> None:
        if self.prepared:
            if "response" in self.uses:
                text.add("status = own.status_code or None")
                text.add("if type(response) is bytes and not is_body_allowed(status):")
                text.add("    response = bodiless(response, own)")
            text.add("if type(response) is bytes:")
            more = ", status, own.headers.raw" if "response" in self.uses else ""
            text.add(f"    await run.respond(response{more})")
            if "tasks" in self.uses:
                text.add("    await tasks()")
            text.add("else:")
            text.depth += 1
        if self.prepared:
            add_background(text, self.uses)
        text.add("if not run.answer(response):")
        text.add("    await response(*run.asgi())")
        text.add("elif response.background is not None:")
        text.add("    await response.background()")
        if self.prepared:
            text.depth -= 1
