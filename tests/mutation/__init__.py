"""Proof that checks can fail: clean worlds, one fault at a time, and what must be said."""

__all__: list[str] = []
