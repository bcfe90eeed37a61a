"""uvicorn is the reference: the same bytes to the same application must give the same
answer, the same scope and the same log. Requests are in corpus.py, documented differences
in differences.py; a difference that is in neither fails."""

import pathlib
import re

import compare
import corpus
import differences
import peers
import pytest


@pytest.fixture(scope="module")
def servers(site: pathlib.Path, loop: str, tmp_path_factory: pytest.TempPathFactory):
    options = ["apps:app", "--interface", "asgi3", "--loop", loop]
    with compare.pair(site, tmp_path_factory.mktemp("raw"), *options) as found:
        yield found


@pytest.mark.parametrize("name", corpus.CLASSES)
def test_same(servers: compare.Pair, name: str, report: compare.Report) -> None:
    compare.check(servers, name, corpus.cases_of(name), report)


def test_enough(report: compare.Report) -> None:
    """What the figures are about: more than 2,000 requests, most of them answered alike."""
    seen = [name for name in corpus.CLASSES if report.compared[name]]
    if len(seen) < len(corpus.CLASSES):
        pytest.skip("only some classes were run")
    cases = [case for name in seen for case in corpus.cases_of(name)]
    assert len({case.sent + str(case.pieces).encode() + case.end.encode() for case in cases}) > 2000
    assert (
        sum(report.differing[name] for name in seen)
        < sum(report.compared[name] for name in seen) / 4
    )


def test_the_document_has_the_same_rules() -> None:
    text = (peers.TESTS.parent / "docs" / "differences-uvicorn.md").read_text()
    rows = re.findall(r"^\| ([^|]+?) \|", text, re.M)
    assert {each.name for each in differences.RULES} <= set(rows)
