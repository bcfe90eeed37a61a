"""The rules of RFC 9110 and 9112 once more, as regular expressions: they judge whether
bytes that our parser refused had to be, or could be, refused."""

import ipaddress
import re

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
EXTENSION = rb"[ \t]*;[ \t]*" + TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + TOKEN + rb"|" + QUOTED + rb"))?"
SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})((?:" + EXTENSION + rb")*)\r\n")
BAD_SPACE = re.compile(rb"[ \t][;=]|[;=][ \t]")
REG_NAME = rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*"
BARE_LF = re.compile(rb"(?<!\r)\n")
BARE_CR = re.compile(rb"\r(?!\n|$)")
# The methods of RFC 9110 and 5789, and QUERY: no asterisk-form but for OPTIONS.
STANDARD_METHODS = b"GET HEAD POST PUT DELETE CONNECT TRACE PATCH QUERY".split()
REGISTERED_CODINGS = set(b"gzip x-gzip deflate compress x-compress identity".split())
FRAMING_TRAILER = re.compile(rb"(?i)(?:content-length|transfer-encoding|host)\Z")


def head_of(case: bytes) -> bytes:
    """Without the empty lines before it; up to the empty line, however that ends."""
    case = re.sub(rb"\A(?:\r\n)+", b"", case)
    match = re.search(rb"\r?\n\r?\n", case)
    return case[: match.end()] if match else case


def fields_of(case: bytes) -> list[tuple[bytes, bytes]]:
    lines = re.split(rb"\r?\n", head_of(case))[1:]
    pairs = (line.split(b":", 1) for line in lines if b":" in line)
    return [(name.lower(), value.strip(b" \t")) for name, value in pairs]


def values_of(case: bytes, name: bytes) -> list[bytes]:
    return [value for key, value in fields_of(case) if key == name]


def request_line(case: bytes) -> list[bytes]:
    return re.split(rb"[\r\n]", head_of(case))[0].split(b" ")


def is_ip_literal(text: bytes) -> bool:
    if re.fullmatch(rb"[vV][0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+", text):
        return True
    try:
        return b"%" not in text and bool(ipaddress.IPv6Address(text.decode("latin-1")))
    except ValueError:
        return False


def is_authority(text: bytes) -> bool:
    literal = re.fullmatch(rb"\[([^\]]*)\](?::[0-9]*)?", text)
    if literal:
        return is_ip_literal(literal[1])
    return re.fullmatch(REG_NAME + rb"(?::[0-9]*)?", text) is not None


def is_target(method: bytes, target: bytes) -> bool:
    if not re.fullmatch(rb"[\x21-\x7e]+", target):
        return False
    if method == b"CONNECT":
        return is_authority(target) and re.search(rb"[^:]:0*[1-9][0-9]{0,4}\Z", target) is not None
    if target == b"*":
        return method not in STANDARD_METHODS
    if target.startswith(b"/"):
        return True
    match = re.match(rb"(?i)https?://([^/?#]*)", target)
    return match is not None and re.match(rb"[^:]", match[1]) is not None and is_authority(match[1])


def field_line_fault(case: bytes) -> str:
    head = head_of(case)
    if re.search(rb"\n[ \t]", head):
        return "obs-fold"
    if BARE_LF.search(head):
        return "bare LF"
    return "bare CR" if BARE_CR.search(head) else ""


def request_line_fault(case: bytes) -> str:
    if re.match(rb"(?:\r\n)*(?:\n|\r(?!\n|\Z))", case):
        return "empty line without CRLF"
    line = re.split(rb"\r|\n", head_of(case))[0]
    if re.fullmatch(TOKEN + rb" \S+", line):
        return "no version"
    if re.fullmatch(TOKEN + rb" \S+ HTTP/\d\.\d", line):
        return field_line_fault(case)
    return "malformed request-line"


def chunked_fault(case: bytes) -> str:
    """The first thing that is wrong in the chunked body of the first request."""
    start = len(re.match(rb"(?:\r\n)*", case)[0]) + len(head_of(case))
    rest = case[start:]
    while True:
        match = SIZE_LINE.match(rest)
        if not match:
            digits = re.match(rb"[0-9A-Fa-f]*", rest)[0]
            if not digits or len(digits) > 16:
                return "malformed chunk-size"
            return "malformed chunk-size line" if len(rest) > len(digits) else ""
        rest = rest[match.end() :]
        size = int(match[1], 16)
        if size == 0:
            return trailer_fault(rest)
        if not b"\r\n".startswith(rest[size : size + 2][:2]):
            return "no CRLF after chunk data"
        rest = rest[size + 2 :]


def trailer_fault(rest: bytes) -> str:
    for line in rest.split(b"\r\n"):
        if line == b"":
            return "malformed trailer" if re.match(rb"\r?\n|\r[^\n]", rest) else ""
        match = re.match(rb"(" + TOKEN + rb"):", line)
        if not match or CONTROL.search(line) or b"\n" in line or b"\r" in line:
            return "malformed trailer"
        if FRAMING_TRAILER.match(match[1]):
            return "framing field in trailer"
    return ""


def has_bad_space(case: bytes) -> bool:
    """Bad white space in a chunk extension, all else being right."""
    rest = case[len(re.match(rb"(?:\r\n)*", case)[0]) + len(head_of(case)) :]
    while match := SIZE_LINE.match(rest):
        if BAD_SPACE.search(re.sub(QUOTED, b"", match[2])):
            return True
        rest = rest[match.end() + int(match[1], 16) + 2 :]
    return False


def codings_of(case: bytes) -> list[bytes]:
    """Of all Transfer-Encoding fields, as one list, empty elements too."""
    values = values_of(case, b"transfer-encoding")
    return [coding.strip(b" \t").lower() for value in values for coding in value.split(b",")]


def coding_fault(case: bytes) -> str:
    codings = codings_of(case)
    if not codings:
        return ""
    if values_of(case, b"content-length"):
        return "Transfer-Encoding with Content-Length"
    if request_line(case)[-1] == b"HTTP/1.0":
        return "Transfer-Encoding in HTTP/1.0"
    *before, last = codings
    if last != b"chunked" or b"chunked" in before or not all(re.fullmatch(TOKEN, c) for c in before):
        return "chunked not once and last"
    return "" if set(before) <= REGISTERED_CODINGS else "unknown coding before chunked"


def has_registered_coding(case: bytes) -> bool:
    return len(codings_of(case)) > 1 and not coding_fault(case)


def host_fault(case: bytes) -> str:
    hosts = values_of(case, b"host")
    if not hosts:
        return "" if request_line(case)[-1] == b"HTTP/1.0" else "no Host"
    if len(hosts) > 1:
        return "several Host fields"
    return "" if is_authority(hosts[0]) else "malformed Host"


def length_fault(case: bytes) -> str:
    lengths = values_of(case, b"content-length")
    if len(lengths) > 1 or any(b"," in value for value in lengths):
        return "repeated Content-Length"
    valid = lengths and re.fullmatch(rb"[0-9]+", lengths[0]) and int(lengths[0]) < 2**64
    return "" if valid else "malformed Content-Length"


def fault(case: bytes, error: str) -> str:
    """Why a request may be refused with that error; empty: it may not."""
    line = request_line(case)
    if error == "FA_ERR_METHOD":
        return "" if re.fullmatch(TOKEN, line[0]) and len(line) > 1 else "malformed method"
    if error == "FA_ERR_TARGET":
        return "" if len(line) > 1 and is_target(line[0], line[1]) else "malformed target"
    if error == "FA_ERR_VERSION":
        return "" if len(line) > 2 and re.fullmatch(rb"HTTP/\d\.\d", line[2]) else "malformed version"
    if error == "FA_ERR_VERSION_UNSUPPORTED":
        return "major version" if re.match(rb"HTTP/[02-9]\.\d", line[-1]) else ""
    if error == "FA_ERR_REQUEST_LINE":
        return request_line_fault(case)
    if error == "FA_ERR_FIELD_NAME":
        lines = re.split(rb"\r\n", head_of(case))[1:]
        return "malformed name" if any(x and not re.match(TOKEN + rb":", x) for x in lines) else ""
    if error == "FA_ERR_FIELD_VALUE":
        return "control character in value" if CONTROL.search(head_of(case)) else ""
    if error == "FA_ERR_FIELD_LINE":
        return field_line_fault(case)
    if error == "FA_ERR_HOST":
        return host_fault(case)
    if error == "FA_ERR_CONTENT_LENGTH":
        return length_fault(case)
    if error == "FA_ERR_TRANSFER_ENCODING":
        name = coding_fault(case)
        return "" if name == "unknown coding before chunked" else name
    if error == "FA_ERR_TRANSFER_CODING":
        name = coding_fault(case)
        return name if name == "unknown coding before chunked" else ""
    if error == "FA_ERR_EXPECTATION":
        values = values_of(case, b"expect")
        return "other expectation" if any(v.lower() != b"100-continue" for v in values) else ""
    if error in ("FA_ERR_CHUNK", "FA_ERR_TRAILER"):
        return chunked_fault(case)
    return ""
