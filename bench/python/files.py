"""FileResponse as an application uses it; the file is that of BENCH_FILE."""

import os

from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Route


async def file(request):
    return FileResponse(os.environ["BENCH_FILE"], media_type="application/octet-stream")


app = Starlette(routes=[Route("/file", file)])
