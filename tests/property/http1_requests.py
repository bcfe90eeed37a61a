"""Random HTTP/1 requests: most are right, some are odd, some have a byte changed."""

import random

METHODS = ["GET"] * 8 + ["POST"] * 6 + ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"]
ODD_METHODS = ["get", "M-SEARCH", "NOTIFY", "PURGE", "BREW", "G@T", "", "PRI", "GET\t", "A" * 40, "CONNECT"]
TARGETS = ["/"] * 6 + ["/a/b", "/a?b=c", "/?", "/a?b?c", "/%41%zz", "//x", "/;p", "/a:b@c", "/a#b"]
ODD_TARGETS = [
    "*", "a", "http://h/p?q", "HTTP://h", "https://h:1?q", "http://u@h/", "http:///p",
    "ftp://h/", "h:80", "/a#f?g#h", "/a?b#c", "/?#", "#f", "http://h/p?q#f", "http://h#f",
    "http://h?q#f", "http://h#@i/", "*#f", "/a#\x7f", "h:80#f", "/a\x7f", "/\xe9", '/"<>\\^`{|}', "/a b", "", "?q",
    "http://[::1]/", "/a\tb", "/\x01", "http://h:x/",
]  # fmt: skip
VERSIONS = ["HTTP/1.1"] * 16 + ["HTTP/1.0"] * 3
ODD_VERSIONS = [
    "HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/0.9", "HTTP/1.10", "HTTP/1", "http/1.1",
    "HTTP/11", "RTSP/1.0", "HTTP/1.1 ", "", "HTTP/3.1", "HTTP/1,1",
]  # fmt: skip
HOSTS = ["Host: a"] * 8 + ["Host: a:80", "HOST:127.0.0.1:8000", "host: [::1]:8", "Host:"]
ODD_HOSTS = [
    "", "Host: a\r\nHost: b", "Host: a b", "Host: a/b", "Host: u@h", "Host: a:b",
    "Host: [::1", "Host: [1:2]", "Host: a,b", "Host: %41", "Host: %zz", "Host: \xe9",
    'Host: "a"', "Host : a", "Host: a\r\nHOST: a",
]  # fmt: skip
FIELDS = [
    "Accept: */*", "User-Agent: Mozilla/5.0 (X11; Linux x86_64)", "X: \t padded \t ",
    "Empty:", "Cookie: a=b; c=d", "X-Token!#$%&'*+.^_`|~: y", "X-Text: caf\xe9 \xff\t.",
    "Connection: keep-alive", "Connection: close", "TE: trailers", "Expect: 100-continue",
    "Content-Type: text/plain", "Accept-Encoding: gzip, deflate", "A: " + "v" * 70,
    "N" * 50 + ": 1",
]  # fmt: skip
ODD_FIELDS = [
    "A : b", ": b", "A b", "A\x00: b", "A: b\x00c", "A: b\x0bc", "A: b\x7f", "A: b\nC: d",
    "A: b\rC: d", "A: b\r\n c", "A: b\r\n\tc", " A: b", "A\t: b", "\xe9: b", "(: b",
    "Expect: 200-ok", "Connection: Close, x", "Connection: upgrade\r\nUpgrade: ws",
    "Connection: \x01", "A: b\r", "Connection: , keep-alive", "Upgrade: h2c", "A",
]  # fmt: skip
LENGTHS = ["Content-Length: {n}"] * 8 + ["content-length:{n}", "Content-Length: 00{n} "]
ODD_LENGTHS = [
    "Content-Length: +{n}", "Content-Length: {n}, {n}", "Content-Length: {n} {n}",
    "Content-Length: {n}\r\nContent-Length: {n}", "Content-Length: 0x{n}",
    "Content-Length: {n}\r\nContent-Length: 9", "Content-Length:", "Content-Length: -1",
    "Content-Length: {n}_0", "Content-Length: 184467440737095516{n}",
    "Content-Length: {n}\r\nTransfer-Encoding: chunked", "Content-Length : {n}",
    "Transfer-Encoding: chunked\r\nContent-Length: {n}", "Content-Length: {n}\x0c",
    "Content-Length: {n},", "Content-Length: {n}\r\nTransfer-Encoding: identity",
]  # fmt: skip
CODINGS = ["Transfer-Encoding: chunked"] * 8 + [
    "transfer-encoding:\tCHUNKED ", "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
]  # fmt: skip
ODD_CODINGS = [
    "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, gzip",
    "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", "Transfer-Encoding: gzip",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "Transfer-Encoding:",
    "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: identity",
    "Transfer-Encoding: xchunked", "Transfer-Encoding: chunkedx", "Transfer-Encoding: ,",
    "Transfer-Encoding: chunked,", "Transfer-Encoding: ,chunked",
    "Transfer-Encoding: chunked;q=1", 'Transfer-Encoding: "chunked"',
    "Transfer-Encoding: \x0bchunked", "Transfer-Encoding: x chunked",
    "Transfer-Encoding : chunked", "Transfer-Encoding:\r\n chunked",
    "Transfer-Encoding: identity, chunked", "Transfer-Encoding: x-gzip,Deflate , chunked",
    "Transfer-Encoding: br, chunked", "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: gzip,, chunked", "Transfer-Encoding: gzip;q=1, chunked",
    "Transfer-Encoding: gzip, chunked\r\nContent-Length: 5", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
]  # fmt: skip
EXTENSIONS = [""] * 8 + [";a", ";a=b", ';a="b c"', ";a=b;c", " ; a = b"]
ODD_EXTENSIONS = [" ", ";", ";a=", ";=b", ';a="b', "; a\n", ";a\rb", " a", ";a\x00", ';a="b"c', ";a ", "\t"]
TRAILERS = [""] * 6 + ["Sum: 1\r\n", "Vary: *\r\nSum: 2\r\n"]
ODD_TRAILERS = [
    "Content-Length: 5\r\n", "Host: b\r\n", "Transfer-Encoding: chunked\r\n", "A : b\r\n",
    "A\r\n", "A: b\r\n c\r\n", "A: b\n", "A: \x00\r\n",
]  # fmt: skip
ODD_SIZES = ["0x{:x}", "+{:x}", " {:x}", "{:x}_", "{:017x}", "1{:016x}", "-{:x}", "{:x}g", ""]
INTERESTING = b"\r\n\t \x00\x7f\x80:;,=\"/?#%*@[]0159afAFxXhHcC\x0b\x0c\xff"

ODD = 0.06  # of the places where a request may be odd


class Generator:
    def __init__(self, rng: random.Random):
        self.rng = rng

    def pick(self, usual: list[str], odd: list[str]) -> str:
        return self.rng.choice(odd if self.rng.random() < ODD else usual)

    def size_line(self, size: int) -> str:
        form = self.pick(["{:x}", "{:X}", "0{:x}"], ODD_SIZES)
        return form.format(size) + self.pick(EXTENSIONS, ODD_EXTENSIONS) + "\r\n"

    def chunked(self) -> str:
        chunks = ""
        for _ in range(self.rng.randrange(4)):
            data = "".join(self.rng.choices("ab0\r\n\x00\xff", k=self.rng.randrange(1, 20)))
            chunks += self.size_line(len(data)) + data
            chunks += self.pick(["\r\n"], ["", "\n", "\r", "x\r\n", "\r\n\r\n"])
        return chunks + self.size_line(0) + self.pick(TRAILERS, ODD_TRAILERS) + "\r\n"

    def request(self) -> str:
        fields = [self.pick(FIELDS, ODD_FIELDS) for _ in range(self.rng.randrange(4))]
        fields.append(self.pick(HOSTS, ODD_HOSTS))
        kind = self.rng.randrange(5)
        body = ""
        if kind == 0:
            body = "hello"[: self.rng.randrange(6)]
            fields.append(self.pick(LENGTHS, ODD_LENGTHS).format(n=len(body)))
        elif kind == 1:
            body = self.chunked()
            fields.append(self.pick(CODINGS, ODD_CODINGS))
        self.rng.shuffle(fields)
        line = " ".join(
            [
                self.pick(METHODS, ODD_METHODS),
                self.pick(TARGETS, ODD_TARGETS),
                self.pick(VERSIONS, ODD_VERSIONS),
            ]
        )
        lead = self.pick([""], ["\r\n", "\n", "\r\n\r\n", "\r", " "])
        return lead + "\r\n".join([line, *(f for f in fields if f), "", ""]) + body

    def mutate(self, data: bytes) -> bytes:
        at = self.rng.randrange(len(data))
        byte = bytes([self.rng.choice(INTERESTING)])
        kind = self.rng.randrange(5)
        if kind == 0:
            return data[:at] + byte + data[at:]
        if kind == 1:
            return data[:at] + byte + data[at + 1 :]
        if kind == 2:
            return data[:at] + data[at + 1 :]
        if kind == 3:
            end = at + self.rng.randrange(1, 12)
            return data[:end] + data[at:end] + data[end:]
        return data[:at] + data[at:].replace(b"\r\n", b"\n", 1)

    def case(self) -> bytes:
        data = self.request().encode("latin-1")
        if self.rng.random() < 0.3:
            data += self.request().encode("latin-1")
        while data and self.rng.random() < 0.35:
            data = self.mutate(data)
        return data
