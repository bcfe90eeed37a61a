"""Django over ASGI: async and sync views, streams, uploads, middleware; no database."""

import asyncio
import logging
import os

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import (
    Http404,
    HttpResponse,
    HttpResponsePermanentRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.urls import path

logging.basicConfig(format="%(levelname)s:    %(message)s")
settings.configure(
    DEBUG=False,
    SECRET_KEY="secret",
    ALLOWED_HOSTS=["test", "127.0.0.1"],
    ROOT_URLCONF="django_app",
    DATA_UPLOAD_MAX_MEMORY_SIZE=300_000,
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    LOGGING_CONFIG=None,
)
django.setup()


async def probe(request):
    return HttpResponse("the probe")


def told(request):
    names = ("REQUEST_METHOD", "QUERY_STRING", "SCRIPT_NAME", "PATH_INFO", "REMOTE_ADDR", "wsgi")
    return {
        "meta": {name: str(request.META.get(name)) for name in names},
        "headers": sorted((n, v) for n, v in request.META.items() if n.startswith("HTTP_")),
        "get": dict(request.GET.lists()),
        "secure": request.is_secure(),
        "path": request.get_full_path(),
    }


async def seen(request, number=None):
    return JsonResponse({**told(request), "number": number})


def sync(request):
    return JsonResponse(told(request))


async def body(request):
    return HttpResponse(str(len(request.body)), content_type="text/plain")


def posted(request):
    files = {n: [f.name, f.content_type, f.size, len(f.read())] for n, f in request.FILES.items()}
    return JsonResponse({"fields": dict(request.POST.lists()), "files": files})


async def stream(request):
    async def pieces():
        for number in range(20):
            yield f"{number}\n"
            await asyncio.sleep(0)

    return StreamingHttpResponse(pieces(), content_type="text/plain")


def stream_sync(request):
    return StreamingHttpResponse((b"x" * 1000 for _ in range(10)), content_type="text/plain")


async def cookies(request):
    response = HttpResponse("cookies")
    response.set_cookie("a", "1", max_age=None, httponly=True, samesite="Lax")
    response.set_cookie("b", "2 3")
    return response


async def fails(request):
    raise RuntimeError("in a view")


async def missing(request):
    raise Http404("no such thing")


def redirect(request):
    return HttpResponsePermanentRedirect("/seen")


async def status(request, code):
    return HttpResponse("" if code in (204, 304) else "status", status=code)


urlpatterns = [
    path("probe", probe),
    path("seen", seen),
    path("seen/<int:number>/", seen),
    path("sync", sync),
    path("body", body),
    path("posted", posted),
    path("stream", stream),
    path("stream-sync", stream_sync),
    path("cookies", cookies),
    path("fails", fails),
    path("missing", missing),
    path("redirect", redirect),
    path("status/<int:code>", status),
]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_app")
app = get_asgi_application()
