"""Stripe as a source: what is read, how it is read to the end, and the little that is kept."""

from __future__ import annotations

__all__: list[str] = []
