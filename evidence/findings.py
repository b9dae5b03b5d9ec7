"""What the tables of a packet say, computed from their rows and from nothing else.

What belongs here: the tables a packet must hold, the counts, verdict and totals that follow from
them, and the two evidence documents that state these. Emitter and verifier both come here: the
one to write the documents, the other to compare. What does not: files and signatures.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

from evidence import canonical, schema
from evidence.errors import Refusal, show
from evidence.statement import RunStatement
from evidence.tables import Entry, Row

RUNS = "reconciliation_runs"
DRIFT = "reconciliation_drift"
BRIDGE = "reconciliation_bridge"
EXPOSURE = "exposure_rollforward"
REQUIRED_TABLES = (EXPOSURE, BRIDGE, DRIFT, RUNS)

RECONCILIATION_FILE = "evidence/reconciliation.json"
CHARGEBACKS_FILE = "evidence/chargebacks.json"

VOLATILE_COLUMNS = frozenset(
    {
        "age_days",
        "ageing_bucket",
        "evaluated_as_of",
        "expires_at",
        "lifecycle",
        "owner",
        "run_id",
        "triage_status",
    }
)
"""Columns that change although the inputs do not, or that record acts: never in a packet."""

_RECONCILIATION_TYPE = "urn:tieout:reconciliation:v1"
_CHARGEBACKS_TYPE = "urn:tieout:chargebacks:v1"
_OUTCOMES = ("break", "pending")
_OF_ONE_PERIOD = frozenset({RUNS, BRIDGE, EXPOSURE})


class Findings:
    """Counts, verdict and totals of one packet, gathered row by row."""

    def __init__(self, tenant: str, period: str) -> None:
        self._tenant = tenant
        self._period = period
        self.outcomes: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.exposure_rows = 0
        self.exposure_residual = False
        self._currencies: dict[str, dict[str, object]] = {}
        self._residuals: dict[str, int] = {}
        self._exposure: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def visitors(self, table: str) -> list[Callable[[Row], None]]:
        """What must see every row of `table`."""
        meanings: dict[str, Callable[[Row], None]] = {
            RUNS: self._visit_run,
            DRIFT: self._visit_drift,
            BRIDGE: self._visit_bridge,
            EXPOSURE: self._visit_exposure,
        }
        return [self._owner(table), *([meanings[table]] if table in meanings else [])]

    @property
    def counts(self) -> dict[str, int]:
        """Rows of reconciliation_drift by outcome."""
        return dict(self.outcomes)

    @property
    def verdict(self) -> str:
        """The worst verdict over the currencies; without any row there is no evidence."""
        found = [str(entry["verdict"]) for entry in self._currencies.values()]
        return min(found, key=schema.VERDICTS.index, default=schema.VERDICTS[0])

    @property
    def currencies(self) -> dict[str, dict[str, object]]:
        """Verdict, gross, unexplained and residual cents by currency."""
        return {
            currency: entry | {"residual_cents": self._residuals.get(currency)}
            for currency, entry in self._currencies.items()
        }

    @property
    def exposure_totals(self) -> dict[str, dict[str, int]]:
        """Sums of every `_cents` column of exposure_rollforward by currency."""
        return {currency: dict(sums) for currency, sums in self._exposure.items()}

    def check_verdict(self, verdict: str) -> None:
        """Refuse a verdict that the rows do not bear: `evidence_verdict`, `evidence_residual`."""
        if verdict != self.verdict:
            raise Refusal(
                "evidence_verdict", f"got verdict {verdict}, expected {self.verdict} from {RUNS}"
            )
        if not verdict.startswith("reconciled"):
            return
        if self.outcomes["break"]:
            raise Refusal("evidence_verdict", f"got {verdict} over {self.outcomes['break']} breaks")
        if verdict == "reconciled" and self.outcomes["pending"]:
            raise Refusal("evidence_verdict", "got reconciled over pending items")
        for currency in self._currencies:
            if self._residuals.get(currency) != 0:
                raise Refusal(
                    "evidence_residual",
                    f"got residual {show(self._residuals.get(currency))} {currency}, expected 0",
                )
        if self.exposure_residual:
            raise Refusal("evidence_residual", f"got a residual in {EXPOSURE}, expected 0")

    def _owner(self, table: str) -> Callable[[Row], None]:
        """Whose rows they are; the columns are the same in every row, so one look is enough."""
        tenant, period = self._tenant, self._period
        required, one_period = table in REQUIRED_TABLES, table in _OF_ONE_PERIOD
        seen = False

        def visit(row: Row) -> None:
            nonlocal seen, required
            if not seen:
                seen = True
                required = required or "tenant_id" in row
                volatile = VOLATILE_COLUMNS.intersection(row)
                if volatile:
                    raise Refusal("table_volatile", f"got column {min(volatile)} in {table}")
            if required and row.get("tenant_id") != tenant:
                raise Refusal("table_tenant", f"got a row of {table} that is not the tenant's")
            if one_period and row.get("period") != period:
                raise Refusal("table_period", f"got a row of another period in {table}")

        return visit

    def _visit_run(self, row: Row) -> None:
        currency = schema.currency(row.get("currency"), "table_columns")
        if currency in self._currencies:
            raise Refusal("evidence_totals", f"got two rows of {RUNS} for {currency}")
        self._currencies[currency] = {
            "gross_cents": _cents(row, "gross_cents", RUNS),
            "unexplained_cents": _cents(row, "unexplained_cents", RUNS),
            "verdict": schema.verdict(row.get("verdict"), "table_columns"),
        }

    def _visit_drift(self, row: Row) -> None:
        outcome, reason = row.get("outcome"), row.get("reason_code")
        if type(outcome) is not str or outcome not in _OUTCOMES:
            raise Refusal("evidence_counts", f"got outcome {show(outcome)} in {DRIFT}")
        if reason not in self.reasons:
            canonical.check_key(reason)
        self.outcomes[outcome] += 1
        self.reasons[str(reason)] += 1

    def _visit_bridge(self, row: Row) -> None:
        if row.get("line_code") != "residual":
            return
        currency = schema.currency(row.get("currency"), "table_columns")
        amount = _cents(row, "amount_cents", BRIDGE)
        if amount is None or currency in self._residuals:
            raise Refusal("evidence_residual", f"got no single residual for {currency}")
        self._residuals[currency] = amount

    def _visit_exposure(self, row: Row) -> None:
        currency = schema.currency(row.get("currency"), "table_columns")
        sums = self._exposure[currency]
        for column in row:
            if column.endswith("_cents"):
                sums[column] += _cents(row, column, EXPOSURE) or 0
        self.exposure_rows += 1
        self.exposure_residual |= bool(row.get("residual_cents"))


def reconciliation_document(
    tenant: str, period: str, findings: Findings, entries: Mapping[str, Entry]
) -> dict[str, object]:
    """`evidence/reconciliation.json` as it follows from the tables."""
    return _stamped(
        {
            "counts": findings.counts,
            "currencies": findings.currencies,
            "period": period,
            "reason_counts": dict(findings.reasons),
            "tables": {name: entries[name].document() for name in (BRIDGE, DRIFT, RUNS)},
            "tenant": tenant,
            "type": _RECONCILIATION_TYPE,
            "verdict": findings.verdict,
        }
    )


def chargebacks_document(
    tenant: str,
    period: str,
    findings: Findings,
    entries: Mapping[str, Entry],
    reconciliation_sha256: str,
) -> dict[str, object]:
    """`evidence/chargebacks.json`, chained to the reconciliation evidence by its digest."""
    return _stamped(
        {
            "count": findings.exposure_rows,
            "period": period,
            "reconciliation_sha256": reconciliation_sha256,
            "table": entries[EXPOSURE].document(),
            "tenant": tenant,
            "totals": findings.exposure_totals,
            "type": _CHARGEBACKS_TYPE,
        }
    )


def check_evidence(
    reconciliation: bytes,
    chargebacks: bytes,
    statement: RunStatement,
    findings: Findings,
    entries: Mapping[str, Entry],
) -> None:
    """Refuse evidence that does not follow from the tables.

    A signature proves who said it, not that it adds up.

    Raises:
        Refusal: `evidence_fields`, `evidence_table`, `evidence_counts`, `evidence_verdict`,
            `evidence_residual`, `evidence_totals`, `evidence_chain`, `evidence_hash`,
            `spec_mismatch`.
    """
    tenant, period = statement.tenant, statement.period
    expected = reconciliation_document(tenant, period, findings, entries)
    got = _read(reconciliation, expected)
    _compare(got, expected, {"tables": "evidence_table", "counts": "evidence_counts"})
    if dict(statement.counts) != findings.counts:
        raise Refusal("evidence_counts", "got statement counts that the table does not bear")
    _compare(got, expected, {"reason_counts": "evidence_counts", "verdict": "evidence_verdict"})
    findings.check_verdict(statement.verdict)
    _compare(got, expected, {"currencies": "evidence_totals"})
    _check_stamp(got)
    chain = canonical.sha256_hex(reconciliation)
    expected = chargebacks_document(tenant, period, findings, entries, chain)
    got = _read(chargebacks, expected)
    _compare(
        got,
        expected,
        {
            "table": "evidence_table",
            "count": "evidence_totals",
            "totals": "evidence_totals",
            "reconciliation_sha256": "evidence_chain",
        },
    )
    _check_stamp(got)


def _read(data: bytes, expected: Mapping[str, object]) -> dict[str, object]:
    got = schema.members(canonical.loads_strict(data), expected, "evidence_fields")
    codes = {"type": "evidence_fields", "tenant": "spec_mismatch", "period": "spec_mismatch"}
    _compare(got, expected, codes)
    return got


def _compare(
    got: Mapping[str, object], expected: Mapping[str, object], codes: Mapping[str, str]
) -> None:
    for name, code in codes.items():
        # Bytes are compared, because Python holds that True equals 1.
        if canonical.dumps(got[name]) != canonical.dumps(expected[name]):
            raise Refusal(code, f"got {name} that does not follow from the tables")


def _stamped(document: dict[str, object]) -> dict[str, object]:
    return document | {"artifactHash": canonical.document_hash(document)}


def _check_stamp(document: Mapping[str, object]) -> None:
    expected = canonical.document_hash(document)
    if document["artifactHash"] != expected:
        raise Refusal(
            "evidence_hash", f"got artifactHash {show(document['artifactHash'])}, not {expected}"
        )


def _cents(row: Row, column: str, table: str) -> int | None:
    value = row.get(column)
    if value is None and column in row:
        return None
    if type(value) is not int:
        raise Refusal("table_columns", f"got {column} {show(value)} in {table}, expected cents")
    return value
