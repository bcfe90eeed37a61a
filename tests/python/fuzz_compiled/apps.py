"""Applications, as Python source: models, dependencies, routers and path operations.

What an application does is told with say(); its words are compared, too."""

import dataclasses

from fuzz_compiled import forms, layers, mounts, outcomes, streams, waits
from fuzz_compiled.values import (
    INT,
    STR,
    Dice,
    Type,
    any_scalar,
    field_type,
    listed,
    optional,
)

PRELUDE = '''
import asyncio, contextvars, dataclasses, enum, warnings
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar, Union
from uuid import UUID
from fastapi import *
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import *
from fastapi.security import *
from pydantic import *
from starlette.applications import Starlette
from typing_extensions import TypedDict
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException as StarletteHTTPException

warnings.filterwarnings("ignore", "The `root_path`")
said = []
var = contextvars.ContextVar("var", default="unset")

def say(*words):
    said.append(tuple(map(repr, words)))

class Color(str, enum.Enum):
    red = "red"
    blue = "blue"

class Level(enum.IntEnum):
    low = 1
    high = 2

class Known(Exception):
    pass

@dataclasses.dataclass
class Point:
    x: int
    y: float = 2.5

class Pair(TypedDict, total=False):
    left: int
    right: str

class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int

class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    name: str = "rex"

Pet = Annotated[Union[Cat, Dog], Field(discriminator="kind")]

class Tree(BaseModel):
    v: int
    below: list["Tree"] = []

class Rooted(RootModel[list[int]]):
    pass

T = TypeVar("T")

class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    a: int = 0
    b: str | None = None
    skip: list[int] = []

class Box(BaseModel, Generic[T]):
    held: T

class Thing:
    def __init__(self, **values):
        self.__dict__.update(values)

    def __repr__(self):
        return f"Thing({self.__dict__})"

def checked(value):
    say("checked", value)
    if value == 3:
        raise ValueError("three")
    return value

class Opaque:
    __slots__ = ()

    def __repr__(self):
        return "Opaque()"

class Numbers(Opaque):
    def __iter__(self):
        return iter([1, 2.5])

def made(model, values):
    try:
        return model(**values)
    except ValidationError:
        return values

def fails(word):
    say("failing", word)
    raise Known(word)

async def streamed():
    for piece in ("a", b"", "é"):
        await asyncio.sleep(0)
        yield piece

async def later(word):
    await asyncio.sleep(0)
    say("later", word)

def about(request):
    return [request.method, str(request.url), request.path_params, dict(request.query_params),
            request.cookies, request.headers.items(), sorted(request.scope), request.scope["path"],
            request.scope["raw_path"], request.scope["root_path"], request.scope["route"].path]
'''


@dataclasses.dataclass
class Param:
    """What a request is to send, and where."""

    source: str
    alias: str
    type: Type
    many: bool
    required: bool


@dataclasses.dataclass
class Function:
    """A dependency or an endpoint: `params` with those of what it depends on."""

    name: str
    params: list[Param]
    declared: list[str]


@dataclasses.dataclass
class Operation:
    methods: tuple[str, ...]
    path: str
    params: list[Param]
    media: str = "application/json"


@dataclasses.dataclass
class App:
    source: str
    operations: list[Operation]
    mutates: bool  # a request may change what others meet
    places: list[str]  # of applications


# What a handler shows of values that are not valid.
INVALID = ("str(error.errors())", "repr((error.errors(), error.body))", "repr((str(error), error.endpoint_ctx))",
           "repr((error.body, vars(error), error.__cause__))")  # fmt: skip
NAMES = ("a", "b", "q", "x_token", "skip", "user_agent", "item_id", "ümlaut", "class_")


class Writer:
    def __init__(self, dice: Dice) -> None:
        self.dice = dice
        self.lines: list[str] = []
        self.models: list[Type] = []
        self.dependencies: list[Function] = []
        self.operations: list[Operation] = []
        self.places = [""]
        self.count = 0
        self.mutates = False

    def add(self, *lines: str) -> None:
        self.lines.extend(lines)

    def new(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    # ---- models ----

    def field(self, name: str, kind: Type) -> str:
        dice, options = self.dice, []
        if dice.chance(0.2):
            options.append(f"alias={name.upper()!r}")
        elif dice.chance(0.06):
            options.append(f"validation_alias={name + '_in'!r}")
        elif dice.chance(0.06):
            options.append(f"serialization_alias={name + 'Out'!r}")
        if dice.chance(0.04):
            options.append("exclude=True")
        default = ""
        if dice.chance(0.4):
            default = kind.python(dice)
            if dice.chance(0.1):
                options.append(f"default_factory=lambda: {default}")
            else:
                options.insert(0, default)
        if options == [default]:
            return f"    {name}: {kind.text} = {options[0]}"
        return f"    {name}: {kind.text}" + (f" = Field({', '.join(options)})" if options else "")

    def model(self) -> None:
        dice, name = self.dice, self.new("Model")
        fields = [(n, field_type(dice, self.models)) for n in dice.sample(("a", "b", "id", "name", "tags", "sub"), dice.randrange(1, 5))]
        base = "BaseModel"
        if self.models and dice.chance(0.15):
            base = dice.choice(self.models).text
        self.add(f"class {name}({base}):")
        config = []
        for setting, share in (
            ("extra='forbid'", 0.15), ("extra='allow'", 0.1), ("populate_by_name=True", 0.15),
            ("from_attributes=True", 0.1), ("str_strip_whitespace=True", 0.05), ("strict=True", 0.06),
            ("frozen=True", 0.05), ("use_enum_values=True", 0.05), ("revalidate_instances='always'", 0.05),
            ("ser_json_timedelta='float'", 0.05), ("ser_json_inf_nan='constants'", 0.04),
            ("json_encoders={int: str}", 0.01),
        ):  # fmt: skip
            if dice.chance(share):
                config.append(setting)
        self.add(f"    model_config = ConfigDict({', '.join(dict.fromkeys(config))})")
        self.add(*[self.field(n, kind) for n, kind in fields])
        first = fields[0][0]
        if dice.chance(0.12):
            mode = dice.choice(("before", "after"))
            self.add(f"    @field_validator({first!r}, mode={mode!r})", "    @classmethod",
                     f"    def check_{first}(cls, value):", f"        say('validator', {mode!r}, value)",
                     "        if value == 5: raise ValueError('five')", "        return value")  # fmt: skip
        if dice.chance(0.06):
            self.add("    @model_validator(mode='after')", "    def check_all(self):",
                     "        say('model validator')", "        return self")  # fmt: skip
        if dice.chance(0.1):
            self.add("    @computed_field", "    @property", f"    def computed_{first}(self) -> str:",
                     f"        return repr(self.{first})")  # fmt: skip
        if dice.chance(0.06):
            self.add(f"    @field_serializer({first!r})", f"    def write_{first}(self, value):",
                     "        say('serializer')", "        return str(value)")  # fmt: skip
        self.models.append(self.type_of_model(name, fields))

    def type_of_model(self, name: str, fields: list[tuple[str, Type]]) -> Type:
        def json(dice: Dice) -> str:
            pairs = []
            for key, kind in fields:
                if dice.chance(dice.mess):
                    continue
                for spelled in {key: 1, key.upper(): 0.25, key + "_in": 0.1}.items():
                    if dice.chance(spelled[1]):
                        pairs.append(f'"{spelled[0]}": {kind.json(dice)}')
            if dice.chance(dice.mess):
                pairs.append(f'"{dice.choice(("extra", "a", "é", "__proto__"))}": 1')
            dice.shuffle(pairs)
            return "{" + ", ".join(pairs) + "}"

        def python(dice: Dice) -> str:
            keys = [(key.upper() if dice.chance(0.2) else key, kind) for key, kind in fields]
            pairs = ", ".join(f"{key!r}: {kind.python(dice)}" for key, kind in keys)
            how = dice.random()
            if how < 0.6:
                return "{" + pairs + "}"
            if how < 0.64:
                return f"Thing(**{{{pairs}}})"
            return f"{name}.model_construct(**{{{pairs}}})" if how < 0.7 else f"made({name}, {{{pairs}}})"

        return Type(name, lambda dice: json(dice), json, python)

    # ---- parameters ----

    def param(self, name: str, captured: tuple[str, ...]) -> tuple[str, Param]:
        """How it is declared, and what a request sends."""
        dice = self.dice
        kind = any_scalar(dice)
        if name in captured:
            text = f"Annotated[{kind.text}, Path(title='t')]" if dice.chance(0.2) else kind.text
            return f"{name}: {text}", Param("path", name, kind, False, True)
        source = dice.choice(("Query", "Query", "Query", "Header", "Cookie"))
        if self.models and dice.chance(0.05):
            model = "Closed" if dice.chance(0.5) else dice.choice(self.models).text
            alias = dice.choice(("a", "a", "b", "skip"))
            return f"{name}: Annotated[{model}, {source}()]", Param(source.lower(), alias, INT, source != "Cookie", False)
        many = source != "Cookie" and dice.chance(0.2)
        inner = kind
        if many:
            kind = listed(kind, "set" if dice.chance(0.1) else "list")
        if dice.chance(0.25):
            kind = optional(kind)
        alias = name.replace("_", "-") if source == "Header" else name
        options = []
        if dice.chance(0.2):
            alias = dice.choice(("X-Alias", "Al", "a-b", "user-agent", "é" if source == "Query" else "z"))
            options.append(f"alias={alias!r}")
        elif source == "Header" and dice.chance(0.1):
            alias = name
            options.append("convert_underscores=False")
        if dice.chance(0.05):
            options.append("include_in_schema=False")
        required = dice.chance(0.4)
        default = "" if required else f" = {dice.choice((kind.python(dice), 'None'))}"
        text = f"Annotated[{kind.text}, {source}({', '.join(options)})]"
        if source == "Query" and not options and not many and dice.chance(0.5):
            text = kind.text
        return f"{name}: {text}{default}", Param(source.lower(), alias, inner, many, required)

    def params(self, captured: tuple[str, ...], most: int) -> tuple[list[str], list[Param]]:
        dice = self.dice
        names = [*captured, *dice.sample(NAMES, dice.randrange(most + 1))]
        found = [self.param(name, captured) for name in dict.fromkeys(names) if name not in captured or dice.chance(0.9)]
        return [text for text, _ in found], [param for _, param in found]

    def depends(self) -> tuple[list[str], list[Param]]:
        dice = self.dice
        declared, sent = [], []
        if not self.dependencies or dice.chance(0.4):
            return declared, sent
        for at, dep in enumerate(dice.choices(self.dependencies, k=dice.choice((1, 1, 2, 3)))):
            declared.append(f"d{at}: Annotated[Any, {self.dependency_of(dep)}]")
            sent += dep.params
        return declared, sent

    def dependency_of(self, dep: Function) -> str:
        dice = self.dice
        options = ", use_cache=False" if dice.chance(0.1) else ""
        if dice.chance(0.04):
            options += ", max_concurrency=2"
        if "yield" in dep.declared and dice.chance(0.25):
            options += ", scope='function'"
        if dice.chance(0.12) and "scope=" not in options:
            options = options.replace(", max_concurrency=2", "")
            return f"Security({dep.name}, scopes=['s1', 's2']{options})"
        return f"Depends({dep.name}{options})"

    # ---- dependencies ----

    SCHEMES = (
        ("OAuth2PasswordBearer('/t')", "authorization"), ("HTTPBearer(auto_error=False)", "authorization"),
        ("HTTPBearer()", "authorization"), ("HTTPBasic()", "authorization"),
        ("APIKeyHeader(name='X-Key')", "x-key"), ("APIKeyQuery(name='key', auto_error=False)", "x-key"),
        ("APIKeyCookie(name='key')", "x-key"), ("HTTPDigest(auto_error=False)", "authorization"),
    )  # fmt: skip

    def scheme(self) -> None:
        text, field = self.dice.choice(self.SCHEMES)
        name = self.new("scheme")
        self.add(f"{name} = {text}")
        kind = Type("str", lambda dice: dice.choice(("Bearer abc", "bearer x", "Basic YTpi", "Digest x", "k", "")), STR.json, STR.python)
        source = "query" if "Query" in text else "cookie" if "Cookie" in text else "header"
        alias = "key" if source != "header" else field
        self.dependencies.append(Function(name, [Param(source, alias, kind, False, True)], []))

    # Threads take their time.
    KINDS = (*("async", "async yield", "callable") * 2, "def", "yield", "class")

    def dependency(self) -> None:
        dice = self.dice
        if dice.chance(0.15):
            self.scheme()
            return
        name, kind = self.new("dep"), dice.choice(self.KINDS)
        declared, sent = self.params((), 2)
        if dice.chance(0.06):
            of_form, sent_in_form = forms.fields(dice, self.models, Param, 2)
            declared, sent = [*declared, *of_form], [*sent, *sent_in_form]
        below, more = self.depends()
        special = [t for t, share in (("tasks: BackgroundTasks", 0.1), ("response: Response", 0.1),
                   ("scopes: SecurityScopes", 0.1), ("request: Request", 0.08),
                   ("ws: WebSocket = None", 0.03), ("ws: WebSocket", 0.005)) if dice.chance(share)]  # fmt: skip
        arguments = [*declared, *below, *special]
        told = self.told(arguments)
        head = ", ".join(["*", *arguments]) if arguments else ""
        alters = ["alter(request)"] if "request: Request" in special and dice.chance(0.5) else []
        word = "async def" if "async" in kind or kind == "callable" and dice.chance(0.5) else "def"
        body = [f"say({name!r}, var.get(), {told})", *alters, *waits.lines(dice, word), *outcomes.of_dependency(dice, arguments)]
        if kind == "class":
            arguments = ", ".join(["self", head]) if head else "self"
            self.add(f"class {name}:", f"    def __init__({arguments}):", *indented(body, 8),
                     "    def __repr__(self):", f"        return {name!r}")  # fmt: skip
        elif kind == "callable":
            arguments = ", ".join(["self", head]) if head else "self"
            self.add(f"class Callable{name}:", f"    {word} __call__({arguments}):", *indented(body, 8),
                     f"        return {told}", f"{name} = Callable{name}()")  # fmt: skip
        else:
            self.add(f"{word} {name}({head}):", *indented(body, 4))
            if "yield" in kind:
                self.add(*indented(outcomes.yielding(dice, name, told), 4), *indented(waits.lines(dice, word), 4))
            else:
                self.add(f"    return {told}")
        self.dependencies.append(Function(name, [*sent, *more], ["yield"] if "yield" in kind else []))

    @staticmethod
    def told(arguments: list[str]) -> str:
        """A dict of what the function was given."""
        pairs = []
        for argument in arguments:
            name = argument.partition(":")[0]
            value = {"tasks": "'tasks'", "response": "'response'", "request": "'request'",
                     "scopes": "scopes.scopes"}.get(name, f"read({name})" if name.startswith("up") else name)  # fmt: skip
            pairs.append(f"{name!r}: {value}")
        return "{" + ", ".join(pairs) + "}"

    # ---- path operations ----

    PATHS = (
        ("/r{n}", ()), ("/r{n}/{p}", ("p",)), ("/same/{p}", ("p",)), ("/same/me", ()), ("/{p}/x", ("p",)),
        ("/n{n}/{p:int}", ("p",)), ("/u/{p:uuid}", ("p",)), ("/f{n}/{p:float}", ("p",)),
        ("/r{n}/{p:path}", ("p",)), ("/r{n}/{p}/{o}", ("p", "o")), ("/r{n}/{p}-{o}", ("p", "o")),
        ("/slash{n}/", ()), ("/é{n}", ()), ("/{p}", ("p",)), ("/r{n}.json", ()), ("/a b{n}", ()),
    )  # fmt: skip

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


def indented(lines: list[str], by: int) -> list[str]:
    return [" " * by + line for line in lines]


def app_of(seed: str) -> App:
    return Writer(Dice(seed)).write()


__all__ = ["App", "Operation", "Param", "app_of"]
