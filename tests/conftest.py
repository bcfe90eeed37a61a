"""Shared by all Python suites: where the build under test is, and random seeds."""

import os
import pathlib
import random

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


def build_directory() -> pathlib.Path:
    return ROOT / os.environ.get("FA_BUILD_DIR", "build-dev")


def pytest_report_header() -> list[str]:
    return [f"build under test: {build_directory()} (FA_BUILD_DIR)"]


@pytest.fixture(scope="session")
def root() -> pathlib.Path:
    return ROOT


@pytest.fixture(scope="session")
def build_dir() -> pathlib.Path:
    """The Meson build directory whose programs are tested."""
    directory = build_directory()
    if not (directory / "build.ninja").exists():
        pytest.exit(f"{directory} is no build: run `make test-fast`, or set FA_BUILD_DIR", 2)
    return directory


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers that are the same in every run; FA_SEED chooses others."""
    seed = int(os.environ.get("FA_SEED", "1"))
    request.node.user_properties.append(("FA_SEED", seed))
    return random.Random(seed)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """A failed random test says how to see the failure again."""
    report = (yield).get_result()
    for name, value in item.user_properties:
        if name == "FA_SEED" and report.failed:
            report.sections.append(("random seed", f"FA_SEED={value}"))
