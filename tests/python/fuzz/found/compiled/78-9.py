
import asyncio, contextvars, dataclasses, enum
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
class Model1(BaseModel):
    model_config = ConfigDict(extra='forbid')
    name: Literal['x', 'y'] = 'y'
async def dep2(*, skip: Annotated[Literal['x', 'y'], Cookie()]):
    say('dep2', var.get(), {'skip': skip})
    var.set('set')
    try:
        yield {'skip': skip}
    except Exception as error:
        say('dep2', 'caught', repr(error))
        raise
    finally:
        say('dep2', 'exit', var.get())
scheme3 = APIKeyHeader(name='X-Key')
async def dep4(*, response: Response):
    say('dep4', var.get(), {'response': 'response'})
    response.headers.append('x-own', '2')
    try:
        yield {'response': 'response'}
    except Exception as error:
        say('dep4', 'caught', repr(error))
        pass
    finally:
        say('dep4', 'exit', var.get())
async def dep5(*, response: Response):
    say('dep5', var.get(), {'response': 'response'})
    response.headers['content-type'] = 'text/x'
    var.set('set')
    return {'response': 'response'}
def dep6(*, ümlaut: Annotated[bytes, Query(alias='é')], b: Literal[1, 2, 'z'] = 1):
    say('dep6', var.get(), {'ümlaut': ümlaut, 'b': b})
    try:
        yield {'ümlaut': ümlaut, 'b': b}
    except Exception as error:
        say('dep6', 'caught', repr(error))
        raise ValueError('turned') from error
    finally:
        say('dep6', 'exit', var.get())
app = FastAPI()
@app.exception_handler(Known)
def on_known(request, error):
    say('handler', repr(error), request.url.path, request.path_params)
    return JSONResponse({'known': str(error)}, 411, {'X-Known': 'é'})
@app.patch('/slash7/', dependencies=[Depends(dep4, scope='function')])
async def endpoint7(*, x_token: Annotated[float, Header()], class_: Annotated[Literal[1, 2, 'z'], Cookie(alias='z')] = 'z', item_id: Annotated[int, Strict()] = 1, body: Annotated[Model1, Body()], other: Annotated[Annotated[str, Field(pattern='^a[b-d]*$')], Body()], do: int = 0):
    say('endpoint7', var.get(), {'x_token': x_token, 'class_': class_, 'item_id': item_id, 'body': body, 'other': other, 'do': do})
    if do == 1: raise HTTPException(500, 'own')
    if do == 7: return Exception('e')
    return {'x_token': x_token, 'class_': class_, 'item_id': item_id, 'body': body, 'other': other, 'do': do}
@app.put('/r8/{p}/{o}', dependencies=[Depends(dep6)])
async def endpoint8(*, p: Annotated[Level, Path(title='t')], o: AnyUrl, body: Annotated[Model1, Body()], other: Annotated[time, Body()], do: int = 0):
    say('endpoint8', var.get(), {'p': p, 'o': o, 'body': body, 'other': other, 'do': do})
    if do == 1: raise asyncio.TimeoutError()
    if do == 5: return StreamingResponse(iter(['a', 'b', '']), media_type='text/plain')
    return {'p': p, 'o': o, 'body': body, 'other': other, 'do': do}
@app.put('/same/me')
async def endpoint9(*, item_id: float = float('nan'), user_agent: Annotated[list[str] | None, Header()] = ['abc', '<&>', '<&>', 'é', '<&>', ], ümlaut: Annotated[list[Color], Query()], body: Model1 = {'name': 'y'}, d0: Annotated[Any, Depends(dep4)], d1: Annotated[Any, Security(dep6, scopes=['s1', 's2'])], d2: Annotated[Any, Depends(scheme3)], do: int = 0) -> int:
    say('endpoint9', var.get(), {'item_id': item_id, 'user_agent': user_agent, 'ümlaut': ümlaut, 'body': body, 'd0': d0, 'd1': d1, 'd2': d2, 'do': do})
    if do == 1: raise Known('k')
    if do == 7: return {'\ud800': 1}
    return 2**70
@app.get('/same/me')
async def endpoint10(*, item_id: Annotated[Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True)], Header()] = None, q: Annotated[list[Annotated[str, Field(pattern='^a[b-d]*$')]], Query()] = [], ümlaut: Annotated[Literal['x', 'y'] | None, Header(convert_underscores=False)] = None, d0: Annotated[Any, Depends(dep2, use_cache=False, scope='function')], d1: Annotated[Any, Depends(dep5)], request: Request, do: int = 0):
    say('endpoint10', var.get(), {'item_id': item_id, 'q': q, 'ümlaut': ümlaut, 'd0': d0, 'd1': d1, 'request': about(request), 'do': do})
    await asyncio.sleep(0)
    if do == 1: raise HTTPException(418, [1, 2])
    return Opaque()
@app.post('/f11/{p:float}')
async def endpoint11(*, p: Annotated[str, Field(min_length=2, max_length=5)], body: Annotated[date, Body(embed=True)], d0: Annotated[Any, Depends(dep2)], response: Response, do: int = 0):
    say('endpoint11', var.get(), {'p': p, 'body': body, 'd0': d0, 'response': 'response', 'do': do})
    response.set_cookie('c', 'v')
    if do == 1: raise StarletteHTTPException(401, 'no')
    if do == 7: return [Color.blue, Level.low]
    return float('nan')
@app.put('/r12/{p}', response_model=list[AnyUrl])
def endpoint12(*, p: Color, body: Model1, do: int = 0):
    say('endpoint12', var.get(), {'p': p, 'body': body, 'do': do})
    if do == 1: raise StopIteration('s')
    return [AnyUrl('http://a.example/é'), AnyUrl('http://a.example/é'), ]
