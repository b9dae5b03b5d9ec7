"""Benchmarks: what `make bench` measures and prints; nothing here asserts a speed."""

__all__: list[str] = []
