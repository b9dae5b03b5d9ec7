"""When and with what: assets, checks, jobs, schedules, sensors, resources, the `tieout` command.

Belongs here: the order of steps and the wiring of the floors below. Does not belong here: SQL
beyond `select * from <mart>`, HTTP, cryptography, or any rule about money.
"""

from __future__ import annotations

__all__: list[str] = []
