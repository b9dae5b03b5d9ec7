"""The memory of enforcement: what was intended before each call, and what came of it.

Belongs here: rows in and out of the chained file, the lock, and questions over all payouts (who
claims a party's period, how much has moved). Does not belong here: the rail, or the choice what
to do next.

`journal/payouts.jsonl` is append-only. One pass at a time holds `journal/payouts.lock`; readers
need no lock. An intent is on disk, file and folder, before its call; a process that dies leaves
it open, and an open intent means "may have been paid" until the rail has been asked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from ingest.errors import JournalError, PayoutRefused
from ingest.payouts import durable
from ingest.payouts.chain import ChainFile, Checkpoint, no_checkpoint
from ingest.payouts.decision import DecidedPayout
from ingest.payouts.standing import STATES, JournalRow, Standing, advance

__all__ = ["LANDED_COLUMNS", "Journal", "journal_rows"]

_LOG: Final = logging.getLogger(__name__)
_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_FIELDS: Final = tuple(field.name for field in fields(JournalRow) if field.name != "seq")
LANDED_COLUMNS: Final = (
    *(name for name in _FIELDS if name not in ("at", "rail_at", "source_ids")),
    "seq",
    "at",
)
"""The columns of `tieout/payout_journal`, as `journal_rows` fills them."""


def journal_rows(path: Path) -> Iterator[dict[str, object]]:
    """Yield the journal's rows for landing, oldest first, without taking the lock.

    Args:
        path: The journal file; absent together with its head means an empty journal.

    Raises:
        JournalError: When the file is not intact.
    """
    for row in _read(ChainFile(path)):
        yield {name: getattr(row, name) for name in LANDED_COLUMNS}


class Journal:
    """The payout journal of one home.

    Args:
        home: The folder `TIEOUT_HOME` names.
        checkpoint: Called at each step boundary; tests stop the process there.
    """

    def __init__(self, home: Path, checkpoint: Checkpoint = no_checkpoint) -> None:
        self.home = home
        self.path = home / "journal" / "payouts.jsonl"
        self.checkpoint = checkpoint
        self._chain = ChainFile(self.path, checkpoint)
        self._standings: dict[str, Standing] = {}
        self._claims: dict[tuple[str, ...], set[str]] = {}
        self._seen_size: int | None = None
        self._held = False

    def state(self, payout_key: str) -> str | None:
        """Return where the payout stands (one of the six states), None if it was never seen."""
        standing = self.standing(payout_key)
        return standing.state if standing else None

    def standing(self, payout_key: str) -> Standing | None:
        """Return everything the journal knows of one payout."""
        self._refresh()
        return self._standings.get(payout_key)

    def standings(self, tenant_id: str | None = None) -> list[Standing]:
        """Return the payouts of a tenant, or of all, in the order in which they first appeared."""
        self._refresh()
        found = self._standings.values()
        return [s for s in found if tenant_id in (None, s.row.tenant_id)]

    def rows(self) -> Iterator[JournalRow]:
        """Yield every row from disk, oldest first."""
        return _read(ChainFile(self.path))

    def rival(self, tenant_id: str, payout: DecidedPayout) -> str | None:
        """Return the code that another paid, open or blocked payout lays on this one, or None.

        `payout_key` holds a statement hash: a regenerated statement has a new key, so the key alone
        protects nothing. The operation, the party's period in one currency, and every source do.
        """
        self._refresh()
        if self._live_others(("operation", tenant_id, payout.operation_id), payout.payout_key):
            return "ALREADY_PAID"
        slot = _slot(tenant_id, payout.party_id, payout.period, payout.currency)
        sources = [("source", tenant_id, source) for source in payout.source_ids]
        if any(self._live_others(claim, payout.payout_key) for claim in (slot, *sources)):
            return "SUPERSEDED_INSTRUCTION"
        return None

    def moved_cents(
        self,
        *,
        currency: str,
        since: datetime,
        tenant_id: str | None = None,
        except_payout_key: str | None = None,
    ) -> int:
        """Sum what was paid or may have been paid since `since`, in minor units of `currency`.

        Args:
            tenant_id: One tenant, or None for all that draw on the same platform balance.
            except_payout_key: The payout being judged, which must not count against itself.
        """
        self._refresh()
        return sum(
            standing.row.amount_cents
            for standing in self._standings.values()
            if standing.is_live
            and standing.live_since is not None
            and standing.live_since >= since
            and standing.row.currency.casefold() == currency.casefold()
            and tenant_id in (None, standing.row.tenant_id)
            and standing.row.payout_key != except_payout_key
        )

    def open_cents(self, *, currency: str, except_payout_key: str) -> int:
        """Sum what was asked for without a known outcome, by any tenant: it may still leave."""
        self._refresh()
        return sum(
            standing.row.amount_cents
            for standing in self._standings.values()
            if standing.is_open
            and standing.row.currency.casefold() == currency.casefold()
            and standing.row.payout_key != except_payout_key
        )

    @contextmanager
    def exclusive(self, wait_seconds: float = 10.0) -> Iterator[None]:
        """Hold the right to append, with everything read afresh and durable.

        Raises:
            PayoutRefused: When another pass keeps the lock for longer than `wait_seconds`.
            JournalError: When the journal is not intact.
        """
        folder = durable.private_folder(self.path.parent)
        with ExitStack() as stack:
            try:
                stack.enter_context(durable.hold_lock(folder / "payouts.lock", wait_seconds))
            except TimeoutError:
                raise PayoutRefused(
                    got="another enforcement pass at work in this home",
                    expected="one pass at a time",
                    remedy="Let it finish; the next tick tries again",
                    code="enforcer_busy",
                ) from None
            self._load()
            self._warn_of_torn_end()
            self._chain.settle()
            self._held = True
            try:
                yield
            finally:
                self._held = False
                # The next question reads from disk: another pass may run from here on.
                self._seen_size = None

    def record(self, row: JournalRow) -> JournalRow:
        """Append one row and return it with its sequence number, once it is on disk.

        Raises:
            JournalError: Without the lock, when the row contradicts the payout's past, when an
                intent would pay a second time what another payout claims, or when the disk fails.
        """
        if not self._held:
            raise _misuse("a row without the journal's lock", "Record inside exclusive()")
        after = advance(self._standings.get(row.payout_key), row)
        if row.state == "intent" and self._claimed_by_others(row):
            raise _misuse(
                f"an intent for {row.payout_key} while another payout claims the same",
                "Stop payouts and compare the journal with the rail",
            )
        line = self._chain.append(_encode(row))
        written = replace(row, seq=line.seq)
        self._keep(written, replace(after, row=written) if after.row is row else after)
        return written

    def _warn_of_torn_end(self) -> None:
        if self._chain.torn_bytes:
            _LOG.warning(
                "payout journal: a crash cut off the last %d bytes; they count as not written, and "
                "the next row is preceded by a repair line that names them",
                self._chain.torn_bytes,
            )

    def _claimed_by_others(self, row: JournalRow) -> bool:
        return any(self._live_others(claim, row.payout_key) for claim in _claims_of(row))

    def _live_others(self, claim: tuple[str, ...], payout_key: str) -> bool:
        others = self._claims.get(claim, set()) - {payout_key}
        return any(self._standings[key].is_live for key in others)

    def _refresh(self) -> None:
        if self._held:
            return
        size = self.path.stat().st_size if self.path.exists() else 0
        if size != self._seen_size:
            self._load()

    def _load(self) -> None:
        self._standings, self._claims, self._seen_size = {}, {}, None
        size = self.path.stat().st_size if self.path.exists() else 0
        for row in _read(self._chain):
            self._keep(row, advance(self._standings.get(row.payout_key), row))
        self._seen_size = size

    def _keep(self, row: JournalRow, standing: Standing) -> None:
        self._standings[row.payout_key] = standing
        for claim in _claims_of(row):
            self._claims.setdefault(claim, set()).add(row.payout_key)


def _slot(tenant_id: str, party_id: str, period: str, currency: str) -> tuple[str, ...]:
    return ("slot", tenant_id, party_id, period, currency.casefold())


def _claims_of(row: JournalRow) -> list[tuple[str, ...]]:
    return [
        ("operation", row.tenant_id, row.operation_id),
        _slot(row.tenant_id, row.party_id, row.period, row.currency),
        *(("source", row.tenant_id, source) for source in row.source_ids),
    ]


def _read(chain: ChainFile) -> Iterator[JournalRow]:
    for line in chain.read():
        if line.kind == "row":
            yield _decode(line.body, line.seq)


def _encode(row: JournalRow) -> dict[str, object]:
    body: dict[str, object] = {name: getattr(row, name) for name in _FIELDS}
    for name in ("at", "rail_at"):
        moment = getattr(row, name)
        body[name] = moment.astimezone(UTC).strftime(_TIME_FORMAT) if moment else None
    body["source_ids"] = list(row.source_ids)
    return body


def _decode(body: Mapping[str, Any], seq: int) -> JournalRow:
    try:
        if set(body) != set(_FIELDS) or body["state"] not in STATES:
            raise ValueError(body.get("state"))
        values = dict(body)
        for name in ("at", "rail_at"):
            text = values[name]
            values[name] = _moment(text) if text is not None else None
        values["source_ids"] = tuple(values["source_ids"])
        return JournalRow(**values, seq=seq)
    except (ValueError, TypeError):
        raise _misuse(
            f"journal line {seq} whose fields are not a payout row", "Keep the file and compare"
        ) from None


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() != timedelta(0):
        raise ValueError("not UTC")
    return moment.astimezone(UTC)


def _misuse(got: str, remedy: str) -> JournalError:
    return JournalError(
        got=got, expected="rows that fit the journal", remedy=remedy, code="journal_contradiction"
    )
