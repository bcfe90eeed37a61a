"""The challenge as a picture: requests per second of each server, in SVG."""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "python"))

import chart  # noqa: E402

OURS, THEIRS = "#0b7a75", "#7d8894"
WIDTH, LEFT, RIGHT = 860, 190, 230
BAR, STEP, HEAD = 20, 32, 64


def bars(named, machine: dict, method: dict) -> str:
    """Medians; the line within a bar is from the least to the greatest round."""
    scale = (WIDTH - LEFT - RIGHT) / max(row.per_second.high for _, row in named)
    about = (
        f"{machine['cpu']}, one core for the server; {method['requests']:,} POST /event on "
        f"{method['connections']:,} connections, {method['rounds']} rounds, "
        f"commit {machine['commit']}"
    )
    parts = [
        chart.text(16, 24, "One million request challenge, requests per second", 16),
        chart.text(16, 42, about, 11, more=' fill="#555"'),
    ]
    y = HEAD
    for name, row in sorted(named, key=lambda pair: -pair[1].per_second.median):
        low, middle, high = (
            v * scale for v in (row.per_second.low, row.per_second.median, row.per_second.high)
        )
        colour = OURS if name.startswith("FasterAPI") else THEIRS
        parts += [
            chart.text(LEFT - 8, y + BAR * 0.7, name, anchor="end"),
            f'<rect x="{LEFT}" y="{y}" width="{middle:.1f}" height="{BAR}" fill="{colour}"/>',
            f'<path d="M{LEFT + low:.1f} {y + BAR / 2}H{LEFT + high:.1f}" stroke="#222"/>',
            chart.text(
                LEFT + high + 8,
                y + BAR * 0.7,
                f"{row.per_second.median:,.0f}/s, {row.cpu_us.median:.1f} us, "
                f"{row.peak_mib:.0f} MiB",
                11,
            ),
        ]
        y += STEP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}"'
        f' viewBox="0 0 {WIDTH} {y}" font-family="sans-serif">\n'
        '<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )
