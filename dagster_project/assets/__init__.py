"""The assets, one module a stage: landing, warehouse, publication, packets, enforcement.

Belongs here: Dagster's view of the steps (keys, groups, owners, metadata). Does not belong here:
the steps themselves, which are plain functions beside this package.
"""

from __future__ import annotations

__all__: list[str] = []
