"""The static page beside packets: what there is, what it says, and how to check it.

Belongs here: one HTML file over a list of packets. Does not belong here: verifying or showing the
content of a packet (`evidence/viewer.html`, which lies beside it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Final

from dagster_project.home import Home
from dagster_project.shelf import IssuedPacket, issued
from evidence.viewer import viewer_html

__all__ = ["INDEX", "VIEWER", "write_index", "write_pages"]

INDEX: Final = "index.html"
VIEWER: Final = "viewer.html"

_GOOD: Final = frozenset({"reconciled", "reconciled_with_pending"})
_BAD: Final = frozenset({"breaks", "incomplete"})
_STYLE: Final = """
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 66rem; color: #1b1f24;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; }
h2 { font-size: 1.05rem; margin: 2rem 0 .35rem; }
p { margin: .25rem 0; color: #57606a; }
table { width: 100%; border-collapse: collapse; }
th { padding: .35rem .6rem; text-align: left; color: #57606a; border-bottom: 1.5px solid; }
td { padding: .4rem .6rem; border-bottom: 1px solid #d8dee4; }
th, td:first-child, td:last-child { white-space: nowrap; }
code { font: 11px/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
td code { min-width: 64ch; display: block; }
a { color: #0550ae; }
.good { color: #1a7f37; font-weight: 600; }
.bad { color: #b42318; font-weight: 600; }
.fair { color: #9a6700; font-weight: 600; }
.old { opacity: .55; }
"""


def write_index(home: Home) -> Path:
    """Writes the page over every packet of a home, and the viewer beside it."""
    packets = issued(home)
    return write_pages(home.packets, packets, lambda p: p.path.removeprefix("packets/"))


def write_pages(
    folder: Path, packets: Iterable[IssuedPacket], link: Callable[[IssuedPacket], str]
) -> Path:
    """Writes `index.html` and `viewer.html`.

    Args:
        folder: Where to write.
        packets: What to list.
        link: Where a packet lies, relative to `folder`.

    Returns:
        The index.
    """
    _replace(folder / VIEWER, viewer_html())
    _replace(folder / INDEX, _page(list(packets), link).encode())
    return folder / INDEX


def _page(packets: list[IssuedPacket], link: Callable[[IssuedPacket], str]) -> str:
    packets = sorted(packets, key=lambda p: (p.tenant_id, p.period, -p.revision))
    newest = {(p.tenant_id, p.period): p.revision for p in reversed(packets)}
    sections = []
    for tenant, of_tenant in groupby(packets, key=lambda p: p.tenant_id):
        rows = "\n".join(_row(p, newest[p.tenant_id, p.period], link(p)) for p in of_tenant)
        sections.append(
            f"<h2>{escape(tenant)}</h2>\n<table>\n<thead><tr><th>period</th><th>revision</th>"
            "<th>verdict</th><th>packet</th><th>log entry</th><th>replay</th></tr></thead>\n"
            f"<tbody>\n{rows}\n</tbody>\n</table>"
        )
    body = "\n".join(sections) or "<p>No packet has been issued yet.</p>"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tieout packets</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Run packets</h1>
<p>Each is one signed file. Open it in <a href="{VIEWER}">the viewer</a>, which verifies it in the
browser, or run <code>tieout-verify PACKET --trust trust.json</code>. This list itself proves
nothing.</p>
{body}
</body>
</html>
"""


def _row(packet: IssuedPacket, newest: int, href: str) -> str:
    kind = "good" if packet.verdict in _GOOD else "bad" if packet.verdict in _BAD else "fair"
    old = packet.revision != newest
    replay = "from its inputs" if packet.carries_inputs else "digests only"
    return (
        f"<tr{' class=old' if old else ''}><td>{escape(packet.period)}</td>"
        f"<td>{packet.revision}{', superseded' if old else ''}</td>"
        f'<td class="{kind}">{escape(packet.verdict.replace("_", " "))}</td>'
        f'<td><a href="{escape(href)}" download>{escape(Path(href).name)}</a>'
        f"<code>{escape(packet.packet_sha256)}</code></td>"
        f"<td>{packet.log_index}</td><td>{replay}</td></tr>"
    )


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(data)
    temporary.replace(path)
