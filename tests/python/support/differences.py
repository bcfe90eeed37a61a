"""Where we differ from uvicorn on purpose: docs/differences-uvicorn.md in code.

A rule takes one difference out of a pair of outcomes, if the request and both outcomes are
what the rule is about; nothing else. What is left must be equal. A rule that has fired may
also explain lines of the log, `logs`, of either server.
"""

import collections
import copy
import dataclasses
import json
import re
from collections.abc import Callable

import http1_rules
import peers
from wire import PROBE, Case, Outcome

INVALID = "WARNING:  Invalid HTTP request received.\n"
FAILED = "ERROR:    Exception in ASGI application\n"


@dataclasses.dataclass
class Rule:
    name: str  # the first column of the table
    apply: Callable[[Case, Outcome, Outcome], bool]
    logs: str = "(?!)"  # a regular expression for records on standard error
    only_logs: bool = False  # the outcomes are the same, only the log is not


RULES: list[Rule] = []


def rule(name: str, logs: str = "(?!)", only_logs: bool = False):
    def add(function: Callable[[Case, Outcome, Outcome], bool]):
        RULES.append(Rule(name, function, logs, only_logs))
        return function

    return add


def both_answers(theirs: Outcome, ours: Outcome):
    return zip(theirs.answers, ours.answers)


def without(answer: peers.Answer, name: str) -> bool:
    kept = [field for field in answer.fields if field[0] != name]
    changed = kept != answer.fields
    answer.fields = kept
    return changed


def set_length(answer: peers.Answer) -> None:
    length = ("content-length", str(len(answer.body)))
    answer.fields = [length if f[0] == "content-length" else f for f in answer.fields]


def same_end(theirs: Outcome, ours: Outcome) -> None:
    """The connection is kept by one of them only; so only there was the probe logged."""
    theirs.kept = ours.kept
    for outcome in (theirs, ours):
        outcome.log = [line for line in outcome.log if "/probe HTTP/" not in line]


@rule("context variables of a pipelined request")
def inherited(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    """uvicorn starts it in the context of the request before."""
    fired = False
    for number, (left, right) in enumerate(both_answers(theirs, ours)):
        if number > 0 and (left.body, right.body) in (
            (b"set by a request set by a request", b"unset set by a request"),
            (b"set by a request", b"unset"),
        ):
            fired, left.body = True, right.body
            set_length(left)
    return fired


# ---- what the parser takes ----

# What may be said of bytes that are refused, by status.
ERRORS = {
    417: ["FA_ERR_EXPECTATION"],
    501: ["FA_ERR_TRANSFER_CODING"],
    505: ["FA_ERR_VERSION_UNSUPPORTED"],
    400: [
        f"FA_ERR_{name}"
        for name in (
            "METHOD TARGET VERSION REQUEST_LINE FIELD_NAME FIELD_VALUE FIELD_LINE HOST"
            " TRANSFER_ENCODING CHUNK CONTENT_LENGTH"
        ).split()
    ],
}
LLHTTP_METHODS = set(
    b"DELETE GET HEAD POST PUT CONNECT OPTIONS TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH"
    b" UNLOCK BIND REBIND UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE"
    b" UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK UNLINK SOURCE QUERY".split()
)


TRAILERS = re.compile(
    rb"\r\n0+(?:;[^\r\n]*)?\r\n(?:" + http1_rules.TOKEN + rb":[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n"
)


def faults(sent: bytes, status: int | None) -> list[str]:
    lengths = http1_rules.values_of(sent, b"content-length")
    names = [name for name in ERRORS.get(status or 0, []) if lengths or "LENGTH" not in name]
    found = [fault for fault in (http1_rules.fault(sent, name) for name in names) if fault]
    # That rule says what may be wrong behind the last chunk, not that something is.
    return [fault for fault in found if fault != "malformed trailer" or not TRAILERS.search(sent)]


def is_refusal(answer: peers.Answer) -> bool:
    """By the server, not the application."""
    return answer.status in ERRORS and ("connection", "close") in answer.fields


REFUSALS = (
    re.escape(INVALID) + r"|WARNING:  (HTTP version|Expectation|Transfer coding) not supported\.\n"
)


@rule("requests that our parser refuses (differences-http1.md)", REFUSALS)
def refused(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    if len(ours.answers) != 1 or not is_refusal(ours.answers[0]) or ours.kept:
        return False
    if not faults(case.sent, ours.answers[0].status):
        return False
    if theirs.told() == ours.told():
        return False
    theirs.__dict__.update(copy.deepcopy(ours.__dict__))
    return True


def rest_of(sent: bytes) -> bytes:
    """What follows a request without a body."""
    return sent[len(http1_rules.head_of(sent)) :] + PROBE


@rule("bytes that are no request, behind a good one", REFUSALS)
def behind(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    """uvicorn refuses what follows before the first was answered, and drops that answer; or
    it takes what we refuse."""
    if not ours.answers or ours.answers[0].status != 200 or ours.kept:
        return False
    ours_refuses = len(ours.answers) > 1 and is_refusal(ours.answers[-1])
    wrong = faults(rest_of(case.sent), 400)
    dropped = [answer.status for answer in theirs.answers] == [400] and not theirs.kept
    dropped = dropped and bool(ours_refuses or wrong)
    takes = bool(wrong) and ours_refuses and theirs.answers[0].body == ours.answers[0].body
    if dropped or takes:
        theirs.__dict__.update(copy.deepcopy(ours.__dict__))
    return dropped or takes


@rule("requests that our parser takes (differences-http1.md)", REFUSALS)
def taken(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    if not theirs.answers or theirs.answers[-1].status != 400 or theirs.kept:
        return False
    if len(ours.answers) + bool(ours.kept) < len(theirs.answers):
        return False
    # What follows the last of a connection's good requests may begin another one.
    lines = [re.findall(r'"(\S+) \S+ (HTTP/1\.\d)"', line)[0] for line in ours.log]
    known = (
        any(method.encode() not in LLHTTP_METHODS for method, _ in lines)
        or any(re.fullmatch("HTTP/1.[2-9]", version) for _, version in lines)
        or re.fullmatch(rb"HTTP/1\.[2-9]", http1_rules.request_line(case.sent)[-1])
        or http1_rules.has_bad_space(case.sent)
        or re.match(rb"\s*\S+ (?i:https?)://[^/?]*#", case.sent)
    )
    if not known:
        return False
    theirs.__dict__.update(copy.deepcopy(ours.__dict__))
    return True


@rule(
    "heads above the limits",
    REFUSALS + r"|WARNING:  (Request line too long|Request header fields too large"
    r"|Too many request header fields)\.\n",
)
def limits(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    """Of 8 KiB for the request line, 32 KiB and 100 for fields, 256 bytes for the extensions
    of a chunk."""
    head = http1_rules.head_of(case.sent)
    line, *fields = head.split(b"\r\n")[:-2]
    extension = re.search(rb"\r\n3;([^\r]*)\r\n", case.sent)
    expected = set()
    if len(line) > 8192:
        expected.add(414)
    if len(head) - len(line) > 32768 or len(fields) > 100:
        expected.add(431)
    if extension and len(extension[1]) > 256:
        expected.add(400)
    if ours.kept or len(ours.answers) != 1 or ours.answers[0].status not in expected:
        return False
    theirs.__dict__.update(copy.deepcopy(ours.__dict__))
    return True


@rule("absolute-form without a path", REFUSALS)
def no_path(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    line = http1_rules.request_line(case.sent)
    if len(line) < 2 or not re.fullmatch(rb"(?i)https?://[^/?#]+([?].*)?", line[1]):
        return False
    if [answer.status for answer in theirs.answers] != [400] or ours.answers[0].status != 200:
        return False
    theirs.__dict__.update(copy.deepcopy(ours.__dict__))
    return True


@rule("writing to a client that is gone", r"socket\.send\(\) raised exception\.\n", only_logs=True)
def writes_on(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    return case.end in ("close", "reset")


@rule(
    "a request to upgrade",
    "WARNING:  (Unsupported upgrade request|No supported WebSocket library detected)\\..*\n",
    only_logs=True,
)
def upgrade(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    return b"upgrade" in case.sent.lower() or case.sent.startswith(b"CONNECT ")


# ---- answers ----


@rule("reason of 413, 414, 416, 422")
def old_reason(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    new = {413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable"}
    new[422] = "Unprocessable Content"
    fired = False
    for left, right in both_answers(theirs, ours):
        if left.status == right.status and right.reason == new.get(right.status, ""):
            fired |= left.reason != right.reason
            left.reason = right.reason
    return fired


@rule("reason of 418")
def teapot(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    fired = False
    for left, right in both_answers(theirs, ours):
        if left.status == right.status == 418 and right.reason == "":
            fired, left.reason = True, ""
    return fired


@rule("HTTP/1.0, answer of unknown length")
def chunked_to_1_0(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    if b" HTTP/1.0\r\n" not in case.sent or ours.kept:
        return False
    return any([without(left, "transfer-encoding") for left, _ in both_answers(theirs, ours)])


@rule("body that nobody reads and of which more than 64 KiB are left")
def unread(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    if case.sent.split()[1] != b"/unread" or len(case.sent) < 65536:
        return False
    if not theirs.kept or ours.kept:
        return False
    same_end(theirs, ours)
    return any([without(right, "connection") for _, right in both_answers(theirs, ours)])


@rule("Expect: 100-continue, body came already")
def needless_100(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    if not http1_rules.values_of(case.sent, b"expect"):
        return False
    fired = False
    for left, right in both_answers(theirs, ours):
        if left.interim == [100] and not right.interim:
            fired, left.interim = True, []
    return fired


@rule(
    "body of a 204 or 304",
    f"{FAILED}RuntimeError: Response content (longer|shorter) than Content-Length\n",
)
def body_of_bodiless(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    """uvicorn writes such a body where the next answer begins, or refuses it."""
    if not ours.answers or ours.answers[-1].status not in (204, 304) or theirs.kept:
        return False
    if [a.status for a in theirs.answers] != [a.status for a in ours.answers]:
        return False
    fired = bool(theirs.left) or bool(ours.kept)
    theirs.left, theirs.hung = ours.left, ours.hung
    same_end(theirs, ours)
    return fired


ENDS_WRONG = {b"/raises-after-end", b"/returns-value", b"/ends-twice", b"/respond"}
# It fails in a thread: uvicorn may have answered the next request by then, or not.
ENDS_WRONG |= {b"/dep/bad-background"}


@rule("the application fails after a whole answer")
def stays_after_failure(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    path = case.sent.split()[1].split(b"?")[0]
    named = path.endswith(b"fails") or b"/fails" in path
    fails = path in ENDS_WRONG or named or b"X-Change: after" in case.sent
    if not fails and not (theirs.answers and theirs.answers[-1].status == 500):
        return False
    if not ours.kept or theirs.kept or theirs.hung:
        return False
    if len(theirs.answers) != len(ours.answers) or not theirs.answers[-1].whole:
        return False
    same_end(theirs, ours)
    return True


@rule("`http.response.start` without status")
def no_status(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    if not case.sent.split()[1] == b"/no-status" or theirs.answers or theirs.kept:
        return False
    if [answer.status for answer in ours.answers] != [500] or ours.kept:
        return False
    theirs.answers, theirs.log = ours.answers, ours.log
    return True


@rule(
    "field names that are no token",
    f"{FAILED}(RuntimeError: Invalid HTTP header name\\.|ValueError: raise)\n"
    "|ERROR:    ASGI callable returned without completing response\\.\n",
)
def no_token(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    if not any(re.search(r"[^\x00-\x7f]", n) for a in theirs.answers for n, _ in a.fields):
        return False
    if ours.answers or ours.kept or ours.hung:
        return False
    theirs.answers, theirs.left = [], b""
    same_end(theirs, ours)
    return True


# ---- the scope ----


def trailers_of(sent: bytes) -> list[list[str]]:
    found = []
    for section in re.findall(rb"\r\n0+(?:;[^\r\n]*)?\r\n((?:[A-Za-z-]+:[^\r\n]*\r\n)+)\r\n", sent):
        for line in section.split(b"\r\n")[:-1]:
            name, _, value = line.decode("latin-1").partition(":")
            found.append(
                ["tuple", f"bytes {name.lower().encode()!r}", f"bytes {value.strip().encode()!r}"]
            )
    return found


@rule("trailer fields of a request")
def trailers(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    sent, fired = trailers_of(case.sent), False
    for left, right in both_answers(theirs, ours):
        if not sent or left.body == right.body or not left.body.startswith(b'[{"asgi"'):
            continue
        told, *rest = json.loads(left.body)
        while told["headers"][-1] in sent:
            told["headers"].pop()
            fired = True
        left.body = json.dumps([told, *rest]).encode()
        set_length(left)
    return fired


@rule("blanks behind a field value")
def blanks(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    if not re.search(rb"[ \t]\r\n", case.sent):
        return False
    fired = False
    for left, right in both_answers(theirs, ours):
        if dict(left.fields).get("x-method") == "HEAD" and left.fields != right.fields:
            lengths = [int(dict(answer.fields)["content-length"]) for answer in (left, right)]
            fired |= 0 < lengths[0] - lengths[1] < 30
            left.fields = [
                f if f[0] != "content-length" else (f[0], str(lengths[1])) for f in left.fields
            ]
        if left.body == right.body or not left.body.startswith(b'[{"asgi"'):
            continue
        stripped = re.sub(rb"(?:[ ]|\\\\t)+('\"\])", rb"\1", left.body)
        fired |= stripped != left.body
        left.body = stripped
        set_length(left)
    return fired


@rule("a body behind a request to upgrade")
def upgrade_body(case: Case, theirs: Outcome, ours: Outcome) -> bool:
    """Nobody takes the upgrade up, so the body is one (differences-http1.md)."""
    if not http1_rules.values_of(case.sent, b"upgrade"):
        return False
    fired = False
    for left, right in both_answers(theirs, ours):
        if not left.body.startswith(b'[{"asgi"') or not right.body.startswith(b'[{"asgi"'):
            continue
        told, read = json.loads(left.body), json.loads(right.body)
        if read[1] and told == [read[0], "", read[2]]:
            fired, left.body = True, right.body
            set_length(left)
    return fired


def apply(case: Case, theirs: Outcome, ours: Outcome) -> tuple[list[str], Outcome, Outcome]:
    """Copies without the documented differences, and which ones those were."""
    theirs, ours, fired = copy.deepcopy(theirs), copy.deepcopy(ours), []
    for each in RULES:
        if not each.only_logs and theirs.told() != ours.told() and each.apply(case, theirs, ours):
            fired.append(each.name)
    return fired, theirs, ours


def records_of_cases(cases: list[Case], outcomes: list[tuple[Outcome, ...]]) -> collections.Counter:
    """How many cases a rule that is about the log alone applies to."""
    return collections.Counter(
        each.name
        for each in RULES
        if each.only_logs
        for case, (theirs, ours) in zip(cases, outcomes, strict=True)
        if each.apply(case, theirs, ours)
    )


def unexplained_records(
    left: collections.Counter, right: collections.Counter, fired: collections.Counter
) -> tuple[collections.Counter, collections.Counter, set[str]]:
    """What only one of the logs has, but for what rules explain that have fired, at most as
    often as they have; and which rules those were."""
    rest, used = [], set()
    for more, less in ((left, right), (right, left)):
        kept = more - less
        for each in RULES:
            for record in [r for r in kept if re.fullmatch(each.logs, r, re.S)]:
                # A client that is gone may be written to many times.
                if kept[record] <= fired[each.name] or (each.only_logs and fired[each.name]):
                    del kept[record]
                    used.add(each.name)
        rest.append(kept)
    return rest[0], rest[1], used
