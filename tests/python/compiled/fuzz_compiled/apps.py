"""Applications, as Python source: models, dependencies, routers and path operations.

What an application does is told with say(); its words are compared, too."""

from fuzz_compiled import forms, layers, mounts, outcomes, streams, waits
from fuzz_compiled.dependencies import DependencyWriter
from fuzz_compiled.described import App, Operation, Param
from fuzz_compiled.models import indented
from fuzz_compiled.prelude import PRELUDE
from fuzz_compiled.values import INT, Dice, any_scalar, field_type

# What a handler shows of values that are not valid.
INVALID = ("str(error.errors())", "repr((error.errors(), error.body))", "repr((str(error), error.endpoint_ctx))",
           "repr((error.body, vars(error), error.__cause__))")  # fmt: skip


class Writer(DependencyWriter):
    def body_params(self, methods: tuple[str, ...]) -> tuple[list[str], list[Param], str]:
        dice = self.dice
        if not set(methods) & {"POST", "PUT", "PATCH"} or dice.chance(0.15):
            return [], [], "application/json"
        how = dice.random()
        kind = dice.choice(self.models) if self.models and dice.chance(0.6) else field_type(dice, self.models)
        default = f" = {kind.python(dice)}" if dice.chance(0.1) else ""
        if how < 0.8:
            text = kind.text if kind in self.models else f"Annotated[{kind.text}, Body()]"
            return [f"body: {text}{default}"], [Param("body", "", kind, False, not default)], "application/json"
        if how < 0.86:
            return [f"body: Annotated[{kind.text}, Body(embed=True)]{default}"], [Param("embed", "body", kind, False, not default)], "application/json"
        other = any_scalar(dice)
        if how < 0.92:
            return [f"body: Annotated[{kind.text}, Body()]{default}", f"other: Annotated[{other.text}, Body()]"], [
                Param("embed", "body", kind, False, not default), Param("embed", "other", other, False, True)], "application/json"  # fmt: skip
        return *forms.fields(dice, self.models, Param, 4), forms.URLENCODED

    def operation(self, router: str, prefix: str, inherited: list[Param]) -> None:
        dice = self.dice
        template, captured = dice.choice(self.PATHS)
        name = self.new("endpoint")
        path = template.replace("{n}", str(self.count))
        methods = dice.choice((("GET",), ("GET",), ("POST",), ("POST",), ("PUT",), ("DELETE",), ("PATCH",), ("GET", "POST")) if dice.chance(0.3) else (("GET",), ("POST",), ("PUT",)))
        declared, sent = self.params(captured, 3)
        below, more = self.depends()
        body, sent_body, media = self.body_params(methods)
        special = [t for t, share in (("tasks: BackgroundTasks", 0.12), ("response: Response", 0.1),
                   ("request: Request", 0.12), ("scopes: SecurityScopes", 0.03),
                   ("ws: WebSocket = None", 0.03), ("ws: WebSocket", 0.005)) if dice.chance(share)]  # fmt: skip
        arguments = [*declared, *body, *below, *special, "do: int = 0"]
        options, returned = outcomes.response_of(dice, self.models)
        if dice.chance(0.1) and self.dependencies:
            extra = dice.choice(self.dependencies)
            options.append(f"dependencies=[{self.dependency_of(extra)}]")
            more = [*more, *extra.params]
        if len(methods) == 1:
            decorator = f"@{router}.{methods[0].lower()}({path!r}"
        else:
            decorator = f"@{router}.api_route({path!r}, methods={list(methods)!r}"
        word = "async def" if dice.chance(0.8) else "def"
        told = self.told(arguments)
        of_endpoint = outcomes.of_endpoint
        if dice.chance(0.08):
            kept = [option for option in options if option.startswith("dependencies=")]
            options, returned = streams.response_of(dice, self.models)
            options, of_endpoint = [*options, *kept], streams.of_endpoint
        if "request: Request" in arguments:
            told = told.replace("'request': 'request'", "'request': about(request)")
        self.add(", ".join([decorator, *options]) + ")", f"{word} {name}(*, {', '.join(arguments)}){returned.annotation}:",
                 f"    say({name!r}, var.get(), {told})", *indented(waits.lines(dice, word), 4), *indented(of_endpoint(dice, word, arguments, told, returned), 4))  # fmt: skip
        do = Param("query", "do", INT, False, False)
        self.operations.append(Operation(methods, prefix + path, [*inherited, *sent, *more, *sent_body, do], media))

    # ---- the application ----

    def router(self, depth: int = 0) -> tuple[str, list[Operation]]:
        """Its name; its operations are under its own prefix."""
        dice, name = self.dice, self.new("router")
        options, inherited = [], []
        if self.dependencies and dice.chance(0.3):
            dep = dice.choice(self.dependencies)
            options.append(f"dependencies=[{self.dependency_of(dep)}]")
            inherited = dep.params
        own = dice.choice(("", f"/{name}"))
        if own:
            options.append(f"prefix={own!r}")
        self.add(f"{name} = APIRouter({', '.join(options)})")
        before, self.operations = self.operations, []
        # Without any prefix a router needs paths that are not empty; all of ours are.
        for _ in range(dice.randrange(1, 4)):
            self.operation(name, own, inherited)
        if depth == 0 and dice.chance(0.3):
            below, operations = self.router(1)
            self.add(f"{name}.include_router({below}, prefix='/below')")
            for operation in operations:
                operation.path = own + "/below" + operation.path
                operation.params = [*inherited, *operation.params]
            self.operations += operations
        found, self.operations = self.operations, before
        return name, found

    def handlers(self, app: str = "app") -> None:
        dice = self.dice
        self.add(f"@{app}.exception_handler(Known)", f"{dice.choice(('async def', 'def'))} on_known(request, error):",
                 f"    say('handler of {app}', repr(error), request.url.path, request.path_params)",
                 "    return JSONResponse({'known': str(error)}, 411, {'X-Known': 'é'})")  # fmt: skip
        for error, share in (("StarletteHTTPException", 0.15), ("HTTPException", 0.1), ("RequestValidationError", 0.3),
                             ("Exception", 0.15), ("404", 0.1), ("500", 0.05), ("409", 0.1), ("ValueError", 0.1)):  # fmt: skip
            if dice.chance(share):
                shown = dice.choice(INVALID) if error == "RequestValidationError" else "str(error)"
                self.add(f"@{app}.exception_handler({error})", f"async def {self.new('on')}(request, error):",
                         f"    say('handler of {error}', {shown}, var.get())",
                         f"    return PlainTextResponse({shown}, 418)")  # fmt: skip

    def mutations(self) -> None:
        """A path that changes the application: what was compiled before must not be used."""
        self.mutates = True
        name = self.dice.choice(self.dependencies).name
        self.add("@app.get('/mutate')", "async def mutate(do: int = 0):", "    say('mutate', do)",
                 f"    if do == 0: app.dependency_overrides[{name}] = lambda: 'overridden'",
                 "    if do == 1: app.dependency_overrides.clear()",
                 "    if do == 7: app.add_api_route('/none', later, methods=['GET', 'PUT'])",
                 "    if do == 5: app.router.routes.pop()",
                 "    return do")  # fmt: skip
        for _ in range(2):
            self.operations.append(Operation(("GET",), "/mutate", [Param("query", "do", INT, False, False)]))

    def write(self) -> App:
        dice = self.dice
        for _ in range(dice.randrange(1, 4)):
            self.model()
        for _ in range(dice.randrange(1, 6)):
            self.dependency()
        options, inherited = [], []
        if dice.chance(0.1):
            dep = dice.choice(self.dependencies)
            options.append(f"dependencies=[{self.dependency_of(dep)}]")
            inherited = dep.params
        if dice.chance(0.1):
            options.append("redirect_slashes=False")
        if dice.chance(0.05):
            options.append("default_response_class=" + dice.choice(("HTMLResponse", "PlainTextResponse", "JSONResponse")))
        if dice.chance(0.06):  # of bodies; before FastAPI 0.164 it says nothing
            options.append(f"max_body_size={dice.choice((0, 20, 60, 200))}")
        root = "/root" if dice.chance(0.05) else ""
        if root:
            options.append(f"root_path={root!r}")
        self.add(f"app = FastAPI({', '.join(options)})")
        self.handlers()
        for _ in range(dice.randrange(3, 9)):
            self.operation("app", "", inherited)
        for _ in range(dice.choice((0, 0, 1, 2))):
            name, operations = self.router()
            prefix = dice.choice(("", "/v1", "/{pre}"))
            self.add(f"app.include_router({name}{f', prefix={prefix!r}' if prefix else ''})")
            for operation in operations:
                operation.path = prefix + operation.path
                operation.params = [*inherited, *operation.params]
            self.operations += operations
        if dice.chance(0.25):
            mounts.add(self)
        if root:
            for operation in self.operations:
                operation.path = dice.choice(("", root)) + operation.path
            self.places += [root + place for place in self.places]
        if dice.chance(0.05):
            self.mutations()
        if dice.chance(0.15):
            self.operation("app", "", inherited)
        self.add(*layers.lines(dice, "app"))
        lines = streams.without_races(self.lines)
        source = PRELUDE + forms.PRELUDE + streams.PRELUDE + waits.PRELUDE + layers.PRELUDE + mounts.PRELUDE + "\n".join(lines) + "\n"
        return App(source, self.operations, self.mutates, self.places)


def app_of(seed: str) -> App:
    return Writer(Dice(seed)).write()


__all__ = ["App", "Operation", "Param", "app_of"]
