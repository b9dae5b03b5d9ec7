"""The page that verifies and shows a packet in a browser, as one file that needs no network.

What belongs here: handing out the page. What does not: its checks, which are its own (viewer.html)
and answer with the codes of this package.
"""

from __future__ import annotations

from importlib import resources


def viewer_html() -> bytes:
    """The page's bytes; its policy names its script and style by hash."""
    return resources.files("evidence").joinpath("viewer.html").read_bytes()
