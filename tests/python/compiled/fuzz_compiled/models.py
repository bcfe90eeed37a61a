"""The part of an application that says what is sent: models and parameters."""

from fuzz_compiled.described import Function, Operation, Param
from fuzz_compiled.values import INT, Dice, Type, any_scalar, field_type, listed, optional

NAMES = ("a", "b", "q", "x_token", "skip", "user_agent", "item_id", "ümlaut", "class_")


class ModelWriter:
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


def indented(lines: list[str], by: int) -> list[str]:
    return [" " * by + line for line in lines]
