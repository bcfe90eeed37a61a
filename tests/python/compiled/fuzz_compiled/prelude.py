"""What every application that is generated begins with."""

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
