"""The only path by which money leaves: a decided payout is paid at most once and never lost.

Read in this order: `decision` (what may be paid), `rail` (what a rail must offer), `resolution`
(why a repeat is safe), `judging`, `looking`, `live_pass` and `submit` (one pass), `standing`,
`journal` and `chain` (what is remembered, and how), `stripe_rail` (the one rail there is), `outbox`
(what the kernel learns back), `home` (which livemode a home serves), `durable` (bytes that survive
a crash).

Nothing here decides who is paid. It receives a verified gate decision, asks it again before each
call, and stops whenever it does not know.
"""

from __future__ import annotations

__all__: list[str] = []
