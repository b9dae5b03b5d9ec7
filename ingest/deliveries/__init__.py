"""What others deliver to us: signed webhook bodies, verified before they are read, kept as ids."""

from __future__ import annotations

__all__: list[str] = []
