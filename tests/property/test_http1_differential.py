"""Our HTTP/1.1 parser beside llhttp (by httptools) and h11 on random requests.

A difference is explained when the request is in a class below, and an independent
rule (http1_rules.py) finds in its bytes what that class is about. One that is not
explained fails the test. docs/differences-http1.md is the same table for readers.
"""

import collections
import os
import pathlib
import random
import re

import http1_peers
import http1_requests
import http1_rules
import pytest
from http1_peers import ACCEPTED, INCOMPLETE, REJECTED, Reading

CASES = int(os.environ.get("FA_CASES", "12000"))

# What we refuse and a peer takes, or waits for more of, by what is wrong with it.
REFUSED = {
    "bare LF": "RFC 9112, 2.2: a recipient MAY recognize a single LF as a line terminator",
    "bare CR": "RFC 9112, 2.2: a recipient of such a bare CR MUST consider that element to be invalid",
    "obs-fold": "RFC 9112, 5.2: a server that receives an obs-fold MUST reject the message with a 400, or replace it",
    "empty line without CRLF": "RFC 9112, 2.2: a server SHOULD ignore at least one empty line (CRLF), no other",
    "malformed request-line": "RFC 9112, 3: request-line = method SP request-target SP HTTP-version",
    "no version": "RFC 9112, 3: request-line = method SP request-target SP HTTP-version; HTTP/0.9 is no part of it",
    "malformed method": "RFC 9112, 3.1: method = token",
    "malformed target": "RFC 9112, 3.2: four forms of request-target; 3: an invalid one SHOULD be answered with 400",
    "malformed version": "RFC 9112, 2.3: HTTP-version = HTTP-name \"/\" DIGIT \".\" DIGIT, HTTP-name case-sensitive",
    "major version": "RFC 9110, 15.6.6: 505 for a major version that the server does not support",
    "malformed name": "RFC 9112, 5.1: field-name = token, and no white space before the colon",
    "control character in value": "RFC 9110, 5.5: field values containing other CTL characters are also invalid",
    "no Host": "RFC 9112, 3.2: 400 to any HTTP/1.1 request message that lacks a Host header field",
    "several Host fields": "RFC 9112, 3.2: 400 to any request that contains more than one Host header field line",
    "malformed Host": "RFC 9112, 3.2: 400 to a Host header field with an invalid field value",
    "malformed Content-Length": "RFC 9110, 8.6: Content-Length = 1*DIGIT",
    "repeated Content-Length": "RFC 9110, 8.6: a repeated equal value MAY be rejected",
    "Transfer-Encoding with Content-Length": "RFC 9112, 6.1: a server MAY reject a request that contains both",
    "Transfer-Encoding in HTTP/1.0": "RFC 9112, 6.1: MUST treat the message as if the framing is faulty",
    "chunked not once and last": "RFC 9112, 6.3: where chunked is not the final coding, the server MUST respond with 400",
    "unknown coding before chunked": "RFC 9112, 6.1: 501 for a transfer coding that the server does not understand",
    "other expectation": "RFC 9110, 10.1.1: 417 for a member other than 100-continue",
    "malformed chunk-size": "RFC 9112, 7.1: chunk-size = 1*HEXDIG, and integer overflow must be anticipated",
    "malformed chunk-size line": "RFC 9112, 7.1.1: chunk-ext = *( BWS \";\" BWS name [ BWS \"=\" BWS value ] )",
    "no CRLF after chunk data": "RFC 9112, 7.1: chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF",
    "malformed trailer": "RFC 9112, 7.1.2: trailer-section = *( field-line CRLF )",
    "framing field in trailer": "RFC 9110, 6.5.1: fields for framing and routing do not belong in trailers",
}

# What we take and a peer refuses, or reads in another way.
TAKEN = {
    "method it does not know": "RFC 9110, 9.1: method = token; the set of methods is open",
    "minor version": "RFC 9110, 2.5: a higher minor version is processed as the highest that is known",
    "bad white space in an extension": "RFC 9110, 5.6.3: a recipient MUST parse for such bad whitespace and remove it",
    "empty lines before the request": "RFC 9112, 2.2: a server SHOULD ignore at least one empty line",
    "registered coding before chunked": "RFC 9112, 6.3: where chunked is the final coding, it tells the length of the body",
    "fragment behind the host": "RFC 3986, 3.2: the authority is terminated by the next slash, question mark or number sign",
    "upgrade that nobody took up": "RFC 9110, 7.8: a server MAY ignore a received Upgrade field; the body is read",
}

LLHTTP_METHODS = set(
    b"DELETE GET HEAD POST PUT CONNECT OPTIONS TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH"
    b" UNLOCK BIND REBIND UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE"
    b" UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK UNLINK SOURCE QUERY".split()
)


def differs_only_in(ours: Reading, theirs: Reading, name: str) -> bool:
    names = ("method", "target", "version", "fields", "body")
    return all((getattr(ours, n) == getattr(theirs, n)) == (n != name) for n in names)


def taken(peer: str, case: bytes, ours: Reading, theirs: Reading) -> str:
    """The class of a difference in a request that we did not refuse."""
    line = http1_rules.request_line(case)
    refused = theirs.verdict == REJECTED
    if refused and peer == "llhttp" and line[0] not in LLHTTP_METHODS:
        return "method it does not know"
    if re.fullmatch(rb"HTTP/1\.[2-9]", line[-1]) and (
        refused or (theirs.verdict == ours.verdict and differs_only_in(ours, theirs, "version"))
    ):
        return "minor version"
    if refused and "chunk" in theirs.error and http1_rules.has_bad_space(case):
        return "bad white space in an extension"
    if refused and peer == "h11" and case.startswith(b"\r\n"):
        return "empty lines before the request"
    if refused and peer == "h11" and http1_rules.has_registered_coding(case):
        return "registered coding before chunked"
    if refused and peer == "llhttp" and re.match(rb"(?i)https?://[^/?]*#", ours.target):
        return "fragment behind the host"
    upgrade = line[0] == b"CONNECT" or http1_rules.values_of(case, b"upgrade")
    if upgrade and peer == "llhttp" and theirs.verdict == ACCEPTED and theirs.body == b"":
        if ours.verdict == INCOMPLETE or differs_only_in(ours, theirs, "body"):
            return "upgrade that nobody took up"
    return ""


def explain(peer: str, case: bytes, ours: Reading, theirs: Reading) -> str:
    if ours.verdict == REJECTED:
        return http1_rules.fault(case, ours.error)
    return taken(peer, case, ours, theirs)


@pytest.fixture
def cases(rng: random.Random) -> list[bytes]:
    generator = http1_requests.Generator(rng)
    return [case for case in (generator.case() for _ in range(CASES)) if case]


@pytest.fixture
def driver(build_dir: pathlib.Path) -> str:
    return str(build_dir / "tests" / "drivers" / "http1_trace")


@pytest.mark.parametrize(
    ("peer", "read"), [("llhttp", http1_peers.llhttp), ("h11", http1_peers.read_h11)]
)
def test_differences_are_explained(peer, read, driver, cases):
    counts = collections.Counter()
    for case, ours in zip(cases, http1_peers.ours(driver, cases), strict=True):
        theirs = read(case)
        if ours.same(theirs):
            counts[f"the same: {ours.verdict}"] += 1
            continue
        name = explain(peer, case, ours, theirs)
        assert name in REFUSED or name in TAKEN, f"{case!r}\nours: {ours}\n{peer}: {theirs}"
        counts[name] += 1
    print(f"\n{peer}: {len(cases)} requests")
    for name, count in counts.most_common():
        print(f"{count:7} {name}")
    # A generator of nothing but nonsense would prove little.
    assert counts["the same: accepted"] > len(cases) / 3
    assert counts["the same: rejected"] > len(cases) / 10


def test_path_and_query_are_those_of_uvicorn(driver, cases):
    fragments = 0
    for case, ours in zip(cases, http1_peers.ours(driver, cases), strict=True):
        theirs = http1_peers.llhttp(case)
        if not ours.same(theirs) or ours.verdict != ACCEPTED or theirs.url is None:
            continue
        path, query = ours.url
        if not theirs.url[0]:  # an absolute-form without a path
            assert path == b"/", case
            path = b""
        assert (path, query or None) == (theirs.url[0], theirs.url[1] or None), case
        fragments += b"#" in ours.target
    assert fragments > len(cases) / 100


def test_every_refusal_has_a_reason(driver, cases):
    """Also where the peers refuse as we do: rules of ours that nobody wrote down."""
    for case, ours in zip(cases, http1_peers.ours(driver, cases), strict=True):
        if ours.verdict == REJECTED:
            assert http1_rules.fault(case, ours.error) in REFUSED, f"{case!r}\n{ours}"


def test_the_document_has_the_same_classes(root):
    text = (root / "docs" / "differences-http1.md").read_text()
    rows = re.findall(r"^\| ([^|]+?) \| [^|]* \| ([^|]+?) \|$", text, re.M)
    listed = {name: sentence for name, sentence in rows if sentence.startswith("RFC")}
    assert listed == REFUSED | TAKEN
