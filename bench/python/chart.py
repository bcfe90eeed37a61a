"""The result as a picture: a bar for each server under each case, in SVG."""

import html

COLOURS = {"fasterapi": "#0b7a75", "uvicorn": "#b0b7bf", "granian": "#7d8894", "hypercorn": "#d3d8dd"}
WIDTH, LEFT, RIGHT = 860, 210, 110
BAR, GAP, HEAD = 13, 12, 64


def text(x: float, y: float, said: str, size: int = 12, anchor: str = "start", more: str = "") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"{more}>'
        f"{html.escape(said)}</text>"
    )


def legend(names: list[str], y: float) -> list[str]:
    parts, x = [], float(LEFT)
    for name in names:
        parts.append(f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{COLOURS[name]}"/>')
        parts.append(text(x + 17, y, name))
        x += 110
    return parts


def bars(rows, machine: dict, method: dict) -> str:
    """CPU time per request, medians; the whiskers are the least and the greatest round."""
    names = list(dict.fromkeys(r.server for r in rows))
    groups = list(dict.fromkeys((r.log, r.case) for r in rows))
    longest = max(r.cpu_us.high for r in rows)
    scale = (WIDTH - LEFT - RIGHT) / longest
    parts = [text(16, 24, "CPU time of the server per request, microseconds: less is better", 16)]
    parts += [text(16, 42, f"{machine['cpu']}, one core, {method['rounds']} rounds of "
                   f"{method['seconds']} s, commit {machine['commit']}", 11, more=' fill="#555"')]  # fmt: skip
    parts += legend(names, HEAD - 4)
    y = HEAD + 12
    for log, case in groups:
        mine = [r for r in rows if (r.log, r.case) == (log, case)]
        middle = y + len(mine) * BAR / 2 + 4
        parts.append(text(LEFT - 8, middle, case + (", logged" if log else ""), anchor="end"))
        for row in mine:
            end = LEFT + row.cpu_us.median * scale
            low, high = (LEFT + v * scale for v in (row.cpu_us.low, row.cpu_us.high))
            parts.append(f'<rect x="{LEFT}" y="{y:.1f}" width="{end - LEFT:.1f}" height="{BAR - 2}"'
                         f' fill="{COLOURS[row.server]}"/>')  # fmt: skip
            at = y + (BAR - 2) / 2
            parts.append(f'<path d="M{low:.1f} {at:.1f}H{high:.1f}" stroke="#333"/>')
            parts.append(text(high + 6, at + 4, f"{row.cpu_us.median:.1f}", 10))
            y += BAR
        y += GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y:.0f}"'
        f' viewBox="0 0 {WIDTH} {y:.0f}" font-family="sans-serif">\n'
        '<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )
