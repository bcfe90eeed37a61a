"""Dependencies with yield end as under uvicorn: the order of exits, what each is told, what
becomes of exceptions that they raise, change or keep."""

import itertools
import pathlib
import random

import compare
import compiled_yields_app as yields
import pytest
from corpus import simple
from wire import Case

WAYS = list(itertools.product(yields.HOW, yields.HOW, yields.ENDS))


def cases(place: str, count: int) -> list[Case]:
    """Each kind of a pair of generators, in `count` of the ways in which they can end."""
    chance = random.Random(place)
    return [
        simple(f"{place}/{kind}/fails?a={a}&b={b}&how={how}")
        for kind in yields.KINDS
        for a, b, how in chance.sample(WAYS, count)
    ]


@pytest.fixture(scope="module")
def servers(site: pathlib.Path, loop: str, tmp_path_factory: pytest.TempPathFactory):
    env = {"FASTERAPI_ENGINE": "auto"}
    logs = tmp_path_factory.mktemp("yields")
    with compare.pair(site, logs, "compiled_yields_app:app", "--loop", loop, env=env) as found:
        yield found


def test_compiled(servers: compare.Pair) -> None:
    assert compare.tiers_of(servers.ours) == (53, 0, 0)


@pytest.mark.parametrize("place, count", [("", 40), ("/sync", 12), ("/seen", 12)])
def test_same(servers: compare.Pair, place: str, count: int, report: compare.Report) -> None:
    compare.check(servers, f"generators {place}", cases(place, count), report)
