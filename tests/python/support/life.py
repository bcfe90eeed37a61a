"""What a server said from its start to its end, in words that uvicorn and we share."""

import pathlib
import re
import subprocess

import patience
import peers

KINDS = ("uvicorn", "fasterapi")
GET = "GET {} HTTP/1.1\r\nHost: test\r\n\r\n"


def told(server: peers.Server) -> tuple[int | None, str, str]:
    """Exit status, standard error and output, with our name for uvicorn's."""
    err = peers.normalised(server.text("err")).replace("Uvicorn", "FasterAPI")
    # Ours shows no port of its own choice in other colours, nor other ports.
    err = err.replace(str(server.port), "PORT")
    # Ours says which extensions are offered (differences-uvicorn.md).
    err = re.sub(r"DEBUG: +http\.response\.pathsend is .*\n", "", err)
    return server.process.returncode, err, peers.normalised(server.text("out"))


def ended(kind: str, site: pathlib.Path, *options: str, **env: str) -> tuple[int, str, str]:
    """Of a server that does not get as far as serving."""
    done = subprocess.run(
        [*peers.command(kind), *options],
        capture_output=True,
        text=True,
        env=peers.environment(site, **env),
        cwd=peers.APPS,
        timeout=patience.HANGS_S,
    )
    err = done.stderr.replace("Uvicorn", "FasterAPI")
    return done.returncode, peers.normalised(err), peers.normalised(done.stdout)


def get(server: peers.Server, path: str) -> peers.Answer:
    with server.connect() as s:
        s.sendall(GET.format(path).encode())
        return peers.answer_of(peers.Reader(s), "GET")
