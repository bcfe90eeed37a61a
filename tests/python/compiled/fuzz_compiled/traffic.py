"""Requests to a generated application: what one connection sends, in pieces."""

import dataclasses
import re
import urllib.parse

from fuzz_compiled import forms, mounts
from fuzz_compiled.apps import App, Operation, Param
from fuzz_compiled.values import ODD_JSON, Dice

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW")
MEDIA = ("application/json; charset=utf-8", "Application/JSON", "application/x+json", "text/json", "text/plain",
         "application/json;", "application/json; a=\"b;c\"", "application/jsonx", "application/octet-stream", "",
         "application/json, text/html", "multipart/form-data; boundary=x", " application/json ",
         "application/vnd.api+json", "application/json ;x", "json", "application/x-www-form-urlencoded")  # fmt: skip
ODD_PATHS = ("/", "//", "/openapi.json", "/docs", "/none", "/%0A", "/%2F", "/a%20b", "/r1/", "/%FF", "/\xe9", "/a/../b", "/.", "/sub", "/%00")
LARGE = 60_000  # bytes of a body


@dataclasses.dataclass
class Exchange:
    """Written piece by piece; `ends` breaks off the connection then."""

    pieces: list[bytes]
    ends: bool = False
    abrupt: bool = False  # without a look at what comes
    plain: bool = True  # uvicorn reads the same message in it
    pipelined: bool = False
    cut: bool = False  # it ends within a message
    large: bool = False  # a body that is not skipped when nobody reads it


def quoted(dice: Dice, text: str) -> str:
    how = dice.random()
    if how < 0.1:
        return urllib.parse.quote(text.encode("latin-1", "replace"), safe="")
    if how < 0.2:
        return "".join(f"%{byte:02x}" for byte in text.encode())
    if how < 0.3:
        return urllib.parse.quote_plus(text)
    return urllib.parse.quote(text, safe="~-._")


class Traffic:
    def __init__(self, dice: Dice, app: App) -> None:
        self.dice, self.app = dice, app
        self.media = ""  # of the body that was made last

    def capture(self, match: re.Match, params: dict[str, Param]) -> str:
        dice, (name, convertor) = self.dice, match.groups()
        if name in params and not (convertor and dice.chance(0.7)):
            return quoted(dice, params[name].type.spelled(dice))
        found = {
            "int": ("1", "007", "12345", "9" * 30, "9" * 4301),
            "float": ("1", "1.5", "007.50"),
            "uuid": ("12345678-1234-5678-1234-567812345678", "12345678-1234-5678-1234-56781234567A"),
            "path": ("a/b", "a", "", "a//b/"),
        }.get(convertor, ("v", "1", "abc"))
        return dice.choice(found if dice.chance(0.1) or len(found) < 4 else found[:3])

    def target(self, operation: Operation) -> str:
        dice = self.dice
        captured = {param.alias: param for param in operation.params if param.source == "path"}
        path = operation.path
        if len(self.app.places) > 1 and dice.chance(0.1):
            path = dice.choice(self.app.places) + dice.choice(mounts.PATHS) or "/"
        path = re.sub(r"{(\w+):?(\w*)}", lambda match: self.capture(match, captured), path)
        path = urllib.parse.quote(path, safe="/%~-._")
        if dice.chance(0.02):
            path = dice.choice(ODD_PATHS)
        if dice.chance(0.02):
            path = path[:-1] if len(path) > 1 and path.endswith("/") else path + dice.choice(("/", "%0A", "%2F", "/x", ";a=b"))
        pairs = []
        for param in self.wanted(operation, "query"):
            for _ in range(dice.randrange(1, 4) if param.many or dice.chance(0.04) else 1):
                value = param.type.spelled(dice) if param.alias != "do" else dice.choice(("0", "0", "0", "1", "5", "7", "-5", "3"))
                pairs.append(f"{quoted(dice, param.alias)}={quoted(dice, value)}")
        dice.shuffle(pairs)
        if dice.chance(0.05):
            pairs.append(dice.choice(("", "=", "a", "a=", "%", "z=1;b=2", "&&", "a=%ff", "q=+", "é=1".encode().decode("latin-1"))))
        separator = "&" if not dice.chance(0.01) else "&&"
        return path + ("?" + separator.join(pairs) if pairs else dice.choice(("", "", "", "?")))

    def wanted(self, operation: Operation, *sources: str) -> list[Param]:
        """Each name once: those that are required, and half of the others."""
        dice, found = self.dice, {}
        for param in operation.params:
            share = 1 - dice.mess if param.required else 0.5
            if param.source in sources and dice.chance(share):
                found[param.alias] = param
        return list(found.values())

    def field_text(self, param: Param) -> str:
        text = param.type.spelled(self.dice)
        for bad in "\r\n\0":
            text = text.replace(bad, "_")
        return text.strip("\t ").replace("\x7f", "")

    def fields(self, operation: Operation) -> list[str]:
        dice, found = self.dice, []
        for param in self.wanted(operation, "header"):
            for _ in range(dice.randrange(1, 4) if param.many or dice.chance(0.04) else 1):
                name = dice.choice((param.alias, param.alias.title(), param.alias.upper()))
                found.append(f"{name}: {self.field_text(param)}")
        cookies = [f"{param.alias}={self.field_text(param)}" for param in self.wanted(operation, "cookie")]
        if dice.chance(0.05):
            cookies.append(dice.choice(("a", "=x", 'q="a\\"b"', "a=1; a=2", ";;", 'a="\\303"', "é=ü")))
        if cookies and dice.chance(0.1):
            found += [f"Cookie: {cookie}" for cookie in cookies]
        elif cookies:
            found.append("Cookie: " + dice.choice(("; ", ";", " ; ")).join(cookies))
        if dice.chance(0.1):
            found.append(dice.choice(("User-Agent: agent", "Origin: https://a.example", "Accept-Encoding: gzip", "X-Forwarded-For: 1.2.3.4",
                                      "Access-Control-Request-Method: GET", "Accept: */*", "X-Empty:")))  # fmt: skip
        dice.shuffle(found)
        return found

    def body(self, operation: Operation) -> bytes | None:
        dice = self.dice
        self.media = operation.media
        sent = [param for param in operation.params if param.source in ("body", "embed", "form", "file")]
        if not sent:
            return b"{}" if dice.chance(0.02) else None
        if dice.chance(dice.mess * 0.3):
            return dice.choice((None, b""))
        in_form = list({param.alias: param for param in sent if param.source in ("form", "file")}.values())
        if in_form:
            body, self.media = forms.sent_as(dice, in_form)
            return body
        if sent[0].source == "embed":
            pairs = [f'"{param.alias}": {param.type.json(dice)}' for param in sent]
            text = "{" + ",".join(pairs) + "}"
        else:
            text = sent[0].type.json(dice)
        if dice.chance(dice.mess * 0.3):
            text = dice.choice(ODD_JSON)
        return self.encoded(text)

    def encoded(self, text: str) -> bytes:
        dice = self.dice
        if not dice.chance(dice.mess * 0.4):
            return text.encode()
        return dice.choice((
            b"\xef\xbb\xbf" + text.encode(), text.encode("utf-16"), text.encode("utf-32-le"), text.encode("latin-1", "replace"),
            b" \t\r\n" + text.encode() + b"\n ", text.encode() + b"x", text.encode()[:-1], text.encode() + text.encode(),
            text.replace('"', "'").encode(), text.encode() + b"\x00", text.encode() + b"\xff",
        ))  # fmt: skip

    def message(self) -> tuple[bytes, bytes, bool]:
        """Head and body, and whether there is nothing in them of which HTTP leaves open what it is."""
        dice = self.dice
        dice.mess = dice.choice((0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.05, 0.3))
        operation = dice.choice(self.app.operations)
        method = dice.choice(METHODS) if dice.chance(0.04) else dice.choice(operation.methods)
        lines = [f"{method} {self.target(operation)} HTTP/1.1", "Host: test"]
        if dice.chance(0.02):
            lines[0] = lines[0].replace("HTTP/1.1", "HTTP/1.0")
        lines += self.fields(operation)
        body = self.body(operation)
        if body is not None:
            media = dice.choice(MEDIA) if dice.chance(0.06) else self.media
            if media and not dice.chance(0.01):
                lines.append(f"Content-Type: {media}")
        if dice.chance(0.03):
            lines.append("Connection: close")
        if body and dice.chance(0.01):
            body = b" " * 70_000 + body
        payload = body or b""
        if body is not None and dice.chance(0.1):
            lines.append("Transfer-Encoding: chunked")
            payload = b"".join(self.chunks(body))
        elif body is not None or dice.chance(0.01):
            lines.append(f"Content-Length: {len(payload)}")
        head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
        plain = head.isascii() and b"HTTP/1.0" not in head and method != "BREW"
        plain = plain and not any(line[-1] in " \t" for line in lines)  # uvicorn keeps it
        plain = plain and len(payload) < LARGE  # docs/differences-uvicorn.md: not read
        return head, payload, plain

    def chunks(self, body: bytes):
        at = 0
        while at < len(body):
            size = self.dice.randrange(1, len(body) - at + 1)
            yield b"%x\r\n%s\r\n" % (size, body[at : at + size])
            at += size
        yield b"0\r\n\r\n"

    def exchange(self) -> Exchange:
        dice = self.dice
        messages = [self.message() for _ in range(dice.randrange(2, 5) if dice.chance(0.02) else 1)]
        # Whoever writes the next request before the answer does not know of its change.
        changes = [head.split(b" ", 2)[1].startswith(b"/mutate") for head, _, _ in messages]
        if any(changes[:-1]):
            messages = messages[: changes.index(True) + 1]
        # How much of a large body is left when nobody wants it is a matter of time.
        if any(len(body) > LARGE for _, body, _ in messages):
            messages = messages[:1]
        large = len(messages[0][1]) > LARGE
        sent = b"".join(head + body for head, body, _ in messages)
        pipelined = len(messages) > 1
        plain = not pipelined and messages[0][2]
        if dice.chance(0.01):
            return Exchange([sent[: dice.randrange(1, len(sent))]], True, False, False, pipelined, True)
        if dice.chance(0.02):
            return Exchange([sent], True, True, False, pipelined)
        if dice.chance(0.05) and len(sent) > 3:
            cuts = sorted(dice.sample(range(1, len(sent)), dice.randrange(1, 3)))
            bounds = [0, *cuts, len(sent)]
            return Exchange([sent[a:b] for a, b in zip(bounds, bounds[1:])], False, False, plain, pipelined, large=large)
        return Exchange([sent], dice.chance(0.005), False, plain, pipelined, large=large)
