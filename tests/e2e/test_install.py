"""An installed copy, used as a user would: headers, pkg-config, CMake, symbols."""

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import socket
import subprocess
import time
import urllib.request

import patience
import pytest

# For C and C++; a function of the library and its headers, no server.
PROBE = """
#include <fasterapi.h>
#include <stdio.h>

int main(void)
{
    puts(fa_strerror(FA_ERR_NOMEM));
    return 0;
}
"""

CMAKE_PROJECT = """
cmake_minimum_required(VERSION 3.18)
project(probe C)
find_package(fasterapi %s REQUIRED)
add_executable(probe_shared probe.c)
target_link_libraries(probe_shared PRIVATE fasterapi::fasterapi)
add_executable(probe_static probe.c)
target_link_libraries(probe_static PRIVATE fasterapi::fasterapi_static)
"""


def run(*command, cwd=None, env=None) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@dataclasses.dataclass
class Installed:
    prefix: pathlib.Path

    @property
    def libdir(self) -> pathlib.Path:
        return next(self.prefix.rglob("fasterapi.pc")).parent.parent

    @property
    def shared_library(self) -> pathlib.Path:
        return self.libdir / "libfasterapi.so"

    def environment(self) -> dict[str, str]:
        return os.environ | {
            "PKG_CONFIG_PATH": str(self.libdir / "pkgconfig"),
            "LD_LIBRARY_PATH": str(self.libdir),
        }

    def pkg_config(self, *args: str) -> list[str]:
        return run("pkg-config", *args, "fasterapi", env=self.environment()).split()

    def compile(self, source: pathlib.Path, *extra: str, compiler="cc") -> pathlib.Path:
        out = source.with_suffix("")
        flags = self.pkg_config("--cflags", "--libs")
        run(compiler, *extra, source, "-o", out, *flags, env=self.environment())
        return out


@pytest.fixture(scope="module")
def installed(root, tmp_path_factory) -> Installed:
    """A release build of the library alone, installed in a prefix of its own."""
    build = tmp_path_factory.mktemp("build")
    prefix = tmp_path_factory.mktemp("prefix")
    options = [f"-D{name}=false" for name in ("tests", "benchmarks", "programs")]
    # Without dpkg-dev Meson would choose lib64, where CMake on Debian does not look;
    # tools/configure sees to that for `make install`.
    run("meson", "setup", build, f"--prefix={prefix}", "--libdir=lib", *options, cwd=root)
    run("meson", "install", "-C", build)
    return Installed(prefix)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def running(command, env):
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=patience.HANGS_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


def get(port: int) -> tuple[int, object, bytes]:
    """GET / as soon as somebody listens there."""
    # A proxy in the environment is no way to this machine itself.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + patience.HANGS_S
    while True:
        try:
            with direct.open(f"http://127.0.0.1:{port}/", timeout=patience.HANGS_S) as answer:
                return answer.status, answer.headers, answer.read()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def test_every_public_header_is_installed(root, installed):
    there = {str(p.relative_to(root / "include")) for p in (root / "include").rglob("*.h")}
    include = installed.prefix / "include"
    assert there
    assert {str(p.relative_to(include)) for p in include.rglob("*.h")} == there


def test_shared_library_exports_public_names_only(installed):
    lines = run("nm", "-D", "--defined-only", installed.shared_library).splitlines()
    names = {line.split()[-1] for line in lines}
    assert {"fa_strerror", "fa_arena_alloc"} <= names
    # fa_ is public, fa__ internal.
    assert not [name for name in names if not re.fullmatch(r"fa_[a-z0-9][a-z0-9_]*", name)]


def test_declared_functions_are_exported(root, installed):
    declared = set()
    for header in (root / "include").rglob("*.h"):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        declared |= set(re.findall(r"FA_API[^;{]*?\b(fa_\w+)\(", text))
    lines = run("nm", "-D", "--defined-only", installed.shared_library).splitlines()
    assert declared
    assert declared - {line.split()[-1] for line in lines} == set()


def test_static_library_defines_prefixed_names_only(installed):
    """A program that links it statically shares one name space with it."""
    archive = installed.libdir / "libfasterapi.a"
    lines = run("nm", "-g", "--defined-only", archive).splitlines()
    names = {line.split()[-1] for line in lines if len(line.split()) == 3}
    assert names
    assert not [name for name in names if not name.startswith("fa_")]


def test_soname(installed):
    dynamic = run("readelf", "-d", installed.shared_library)
    assert "Library soname: [libfasterapi.so.0]" in dynamic


@pytest.mark.parametrize(
    ("compiler", "suffix", "standard"),
    [("gcc", "c", "-std=c11"), ("clang", "c", "-std=c17"), ("g++", "cpp", "-std=c++17")],
)
def test_pkg_config(installed, tmp_path, compiler, suffix, standard):
    source = tmp_path / f"probe.{suffix}"
    source.write_text(PROBE)
    program = installed.compile(source, standard, "-Wall", "-Werror", compiler=compiler)
    assert run(program, env=installed.environment()).strip()


def test_pkg_config_static(installed, tmp_path):
    """`--static` names all that the archive needs."""
    source, program = tmp_path / "probe.c", tmp_path / "probe"
    source.write_text(PROBE)
    flags = installed.pkg_config("--cflags", "--libs", "--static")
    archive = installed.libdir / "libfasterapi.a"
    flags = [str(archive) if flag == "-lfasterapi" else flag for flag in flags]
    run("cc", source, "-o", program, *flags)
    assert "libfasterapi" not in run("readelf", "-d", program)
    assert run(program).strip()


def configure_cmake(installed, folder, version) -> subprocess.CompletedProcess:
    (folder / "probe.c").write_text(PROBE)
    (folder / "CMakeLists.txt").write_text(CMAKE_PROJECT % version)
    return subprocess.run(
        ["cmake", "-B", "build", f"-DCMAKE_PREFIX_PATH={installed.prefix}"],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_cmake_package(installed, tmp_path):
    configured = configure_cmake(installed, tmp_path, "0.1")
    assert configured.returncode == 0, configured.stderr
    run("cmake", "--build", "build", cwd=tmp_path)
    for program in ("probe_shared", "probe_static"):
        assert run(tmp_path / "build" / program).strip()
    needed = run("readelf", "-d", tmp_path / "build" / "probe_shared")
    assert "[libfasterapi.so.0]" in needed


@pytest.mark.parametrize("version", ["0.0", "0.2", "1.0"])
def test_cmake_package_refuses_other_versions(installed, tmp_path, version):
    configured = configure_cmake(installed, tmp_path, version)
    assert configured.returncode != 0
    assert "compatible with requested version" in configured.stderr


def test_readme_shows_the_hello_program(root):
    hello = (root / "examples" / "hello" / "hello.c").read_text()
    assert f"```c\n{hello}```\n" in (root / "README.md").read_text()


def test_hello_program(root, installed, tmp_path):
    """The program of the README: the public headers, one command, an answer."""
    hello = (root / "examples" / "hello" / "hello.c").read_text()
    assert len(hello.splitlines()) <= 25
    assert hello.count("8000") == 1
    port = free_port()
    source = tmp_path / "hello.c"
    source.write_text(hello.replace("8000", str(port)))
    program = installed.compile(source, "-Wall", "-Wextra", "-Werror")
    with running([program], installed.environment()) as process:
        status, headers, body = get(port)
        assert process.poll() is None
    assert (status, headers.get_content_type()) == (200, "application/json")
    assert json.loads(body) == {"message": "Hello, World!"}
    assert process.returncode == 0  # SIGTERM is an order to finish, not a failure
