"""What the traffic knows of an application."""

import dataclasses

from fuzz_compiled.values import Type


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
