"""Forms and files of generated applications, and what is sent for them."""

import urllib.parse
from typing import Any

from fuzz_compiled.values import STR, Dice, any_scalar, optional

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"

# What an application does with a file that it is given: others have it, too.
PRELUDE = '''
def read(value):
    if isinstance(value, list):
        return [read(item) for item in value]
    if not hasattr(value, "filename"):
        return value
    return [value.filename, value.content_type, value.size, value.file.read(2)]

def alter(request):
    say("alter", sorted(request.query_params.items()))
    how = request.query_params.get("do")
    if how == "1": request.scope["query_string"] = b"a=7&q=x&b=1"
    if how == "5": request.scope["headers"].append((b"x-token", b"7"))
    if how == "7": request.cookies["a"] = "5"
    if how == "3": request.scope["path_params"].update(p="1")
    if how == "-5": request.scope["headers"] = [(b"host", b"test"), (b"q", b"1"), (b"a", b"2")]
'''

NAMES = ("fa", "fb", "fc", "up1", "up2", "al-ias")


def fields(dice: Dice, models: list[Any], param: Any, most: int) -> tuple[list[str], list[Any]]:
    """How some are declared, and what a request sends; `param` makes a Param."""
    declared, sent = [], []
    for name in dice.sample(NAMES, dice.randrange(1, most + 1)):
        name, alias = name.replace("-", "_"), name
        if name.startswith("up"):
            text, options = dice.choice((
                ("UploadFile", ""), ("bytes", "File()"), ("list[UploadFile]", ""), ("list[bytes]", "File()"),
                ("UploadFile | None", "File()"), ("bytes | None", "File()"),
            ))  # fmt: skip
            default = " = None" if "None" in text else ""
            text = f"Annotated[{text}, {options}]" if options else text
            declared.append(f"{name}: {text}{default}")
            sent.append(param("file", alias, STR, "list" in text, not default))
            continue
        kind = any_scalar(dice)
        many = dice.chance(0.2)
        text = f"list[{kind.text}]" if many else kind.text
        if not many and dice.chance(0.2):
            text = optional(kind).text
        options = f"alias={alias!r}" if alias != name else ""
        default = dice.choice((f" = {kind.python(dice)}", " = None")) if dice.chance(0.4) else ""
        default = " = []" if many and default else default
        declared.append(f"{name}: Annotated[{text}, Form({options})]{default}")
        sent.append(param("form", alias, kind, many, not default))
    if models and dice.chance(0.2):
        model = dice.choice(models)
        declared.append(f"form_model: Annotated[{model.text}, Form()]")
        sent += [param("form", key, any_scalar(dice), False, False) for key in ("a", "b", "id", "name", "extra")]
    return declared, sent


def sent_as(dice: Dice, params: list[Any]) -> tuple[bytes, str]:
    """The body, and its media type."""
    pairs = []
    for param in params:
        if not dice.chance(1 - dice.mess if param.required else 0.5):
            continue
        for _ in range(dice.randrange(1, 4) if param.many or dice.chance(0.04) else 1):
            pairs.append((param.alias, param.type.spelled(dice), param.source == "file"))
    if any(is_file for _, _, is_file in pairs) or dice.chance(0.25):
        return multipart(dice, pairs), MULTIPART
    body = urllib.parse.urlencode([(name, value) for name, value, _ in pairs]).encode()
    if dice.chance(dice.mess):
        body = dice.choice((body + b"&", b"&" + body, body + b"%", body.replace(b"=", b""), body + b"&a=%ff;b=1", body + b"=&="))
    return body, URLENCODED


def multipart(dice: Dice, pairs: list[tuple[str, str, bool]]) -> bytes:
    body = b""
    for name, value, is_file in pairs:
        if dice.chance(dice.mess * 0.3):
            is_file = not is_file
        head = f'Content-Disposition: form-data; name="{name}"'
        if is_file:
            head += f'; filename="{dice.choice(("f.txt", "é", "", "a b"))}"'
        if dice.chance(0.2):
            head += "\r\nContent-Type: text/plain"
        content = b"" if dice.chance(0.1) else value.encode("utf-8", "replace")
        body += b"--x\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"
    body += b"--x--\r\n"
    return body[: dice.randrange(len(body))] if dice.chance(dice.mess * 0.2) else body
