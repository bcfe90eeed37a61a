"""The part of an application that endpoints depend on."""

from fuzz_compiled import forms, outcomes, waits
from fuzz_compiled.described import Function, Param
from fuzz_compiled.models import ModelWriter, indented
from fuzz_compiled.values import STR, Type


class DependencyWriter(ModelWriter):
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
