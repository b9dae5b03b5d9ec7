"""Attacks by someone who holds the real key: signed evidence that does not follow."""

from __future__ import annotations

import pytest

from evidence import canonical, findings
from evidence.build import build_packet

RECONCILIATION = findings.RECONCILIATION_FILE
CHARGEBACKS = findings.CHARGEBACKS_FILE


def lying(forge, name, change) -> dict[str, bytes]:
    """One evidence document falsified, its own hash and the chain made to agree, all signed."""
    return forge.seal(forge.restamp(forge.edited(name, change), name))


def claiming(forge, **claims) -> dict[str, bytes]:
    return forge.seal(forge.files(), lambda d: d["predicate"].update(claims))


def table(forge, name, rows, key) -> dict[str, bytes]:
    data = b"".join(canonical.dumps(row) + b"\n" for row in rows)
    assert key
    return forge.with_table(name, data)


def test_attack_129_evidence_counts_do_not_follow(forge) -> None:
    forged = lying(forge, RECONCILIATION, lambda d: d.update(counts={"break": 1, "pending": 1}))
    assert forge.refusal(forged) == "evidence_counts"


def test_attack_129b_evidence_reason_counts_do_not_follow(forge) -> None:
    forged = lying(forge, RECONCILIATION, lambda d: d["reason_counts"].update(FEE_MISMATCH=1))
    assert forge.refusal(forged) == "evidence_counts"


def test_attack_130_statement_counts_differ_from_the_evidence(forge) -> None:
    assert forge.refusal(claiming(forge, counts={"pending": 1})) == "evidence_counts"


@pytest.mark.parametrize("verdict", ["reconciled", "reconciled_with_warnings", "incomplete"])
def test_attack_131_statement_verdict_over_a_failing_table(forge, verdict) -> None:
    assert forge.refusal(claiming(forge, verdict=verdict)) == "evidence_verdict"


@pytest.mark.parametrize(
    "verdict", ["reconciled", "reconciled_with_pending", "reconciled_with_warnings"]
)
def test_attack_132_verdict_everywhere_better_than_the_breaks(forge, rows, verdict) -> None:
    files = table(forge, findings.RUNS, rows["runs"](verdict), "currency")
    assert forge.refusal(forge.rederive(files)) == "evidence_verdict"


def test_attack_132b_evidence_verdict_alone(forge) -> None:
    forged = lying(forge, RECONCILIATION, lambda d: d.update(verdict="reconciled"))
    assert forge.refusal(forged) == "evidence_verdict"


def test_attack_132c_pending_items_called_reconciled(forge, rows) -> None:
    files = table(forge, findings.RUNS, rows["runs"]("reconciled"), "currency")
    drift = b"".join(canonical.dumps(row) + b"\n" for row in rows["drift"](("pending", "pending")))
    files["tables/reconciliation_drift.ndjson"] = drift
    assert forge.refusal(forge.rederive(files)) == "evidence_verdict"


def test_attack_132d_the_better_of_two_currencies(forge, rows, packet_tables, refused) -> None:
    mixed = rows["runs"]("reconciled")
    mixed[1]["verdict"] = "incomplete"
    spec = forge.spec(verdict="reconciled", tables=packet_tables(reconciliation_runs=mixed))
    assert refused(lambda: build_packet(spec, forge.signer)) == "evidence_verdict"


@pytest.mark.parametrize(
    "change",
    [
        {"count": 2},
        {"totals": {}},
        {"totals": {"usd": {"closing_cents": 0}}},
    ],
)
def test_attack_133_chargeback_totals_wrong(forge, change) -> None:
    assert forge.refusal(lying(forge, CHARGEBACKS, lambda d: d.update(change))) == (
        "evidence_totals"
    )


def test_attack_133b_gross_and_unexplained_wrong(forge) -> None:
    forged = lying(
        forge, RECONCILIATION, lambda d: d["currencies"]["usd"].update(unexplained_cents=0)
    )
    assert forge.refusal(forged) == "evidence_totals"


def test_attack_134_chargebacks_chained_to_another_reconciliation(forge) -> None:
    forged = lying(forge, CHARGEBACKS, lambda d: d.update(reconciliation_sha256="0" * 64))
    assert forge.refusal(forged) == "evidence_chain"


@pytest.mark.parametrize("field", ["rows", "sha256", "merkle"])
def test_attack_135_evidence_cites_another_table_entry(forge, field) -> None:
    value = 0 if field == "rows" else "0" * 64
    forged = lying(
        forge,
        RECONCILIATION,
        lambda d: d["tables"]["reconciliation_drift"].update({field: value}),
    )
    assert forge.refusal(forged) == "evidence_table"
    forged = lying(forge, CHARGEBACKS, lambda d: d["table"].update({field: value}))
    assert forge.refusal(forged) == "evidence_table"


@pytest.mark.parametrize("name", [RECONCILIATION, CHARGEBACKS])
def test_evidence_whose_own_hash_lies(forge, name) -> None:
    files = forge.edited(name, lambda d: d.update(artifactHash="0" * 64))
    assert forge.refusal(forge.seal(files)) == "evidence_hash"


@pytest.mark.parametrize("name", [RECONCILIATION, CHARGEBACKS])
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda d: d.update(command=["--ops-token", "secret"]), "evidence_fields"),
        (lambda d: d.pop("artifactHash"), "evidence_fields"),
        (lambda d: d.update(type="urn:tieout:reconciliation:v2"), "evidence_fields"),
        (lambda d: d.update(tenant="t2"), "spec_mismatch"),
        (lambda d: d.update(period="2026-09"), "spec_mismatch"),
    ],
)
def test_evidence_documents_are_an_allow_list(forge, name, change, code) -> None:
    assert forge.refusal(forge.seal(forge.edited(name, change))) == code


def test_a_count_of_true_is_no_count_of_one(forge) -> None:
    forged = lying(forge, RECONCILIATION, lambda d: d["counts"].update(pending=True))
    assert forge.refusal(forged) == "evidence_counts"


def reconciled(forge, packet_tables, rows, **changed):
    base = {"reconciliation_runs": rows["runs"]("reconciled"), "reconciliation_drift": []}
    return forge.spec(verdict="reconciled", tables=packet_tables(**(base | changed)))


@pytest.mark.parametrize("bad", ["not zero", "absent", "null", "twice", "in one currency only"])
def test_nothing_is_reconciled_over_a_residual(forge, packet_tables, rows, refused, bad) -> None:
    lines = rows["bridge"]()
    if bad == "not zero":
        lines = rows["bridge"](residual=-1)
    elif bad == "absent":
        lines = [line for line in lines if line["line_code"] != "residual"]
    elif bad == "null":
        lines[-1]["amount_cents"] = None
    elif bad == "twice":
        lines.append(lines[-1] | {"line_no": 12})
    else:
        lines = [line for line in lines if line["currency"] == "usd"]
    spec = reconciled(forge, packet_tables, rows, reconciliation_bridge=lines)
    assert refused(lambda: build_packet(spec, forge.signer)) == "evidence_residual"


def test_breaks_may_stand_beside_a_residual(forge, packet_tables, rows) -> None:
    spec = forge.spec(tables=packet_tables(reconciliation_bridge=rows["bridge"](residual=77)))
    assert forge.verify(build_packet(spec, forge.signer).zip_bytes)


def test_nothing_is_reconciled_over_an_exposure_residual(
    forge, packet_tables, rows, refused
) -> None:
    lines = rows["exposure"]()
    lines[0]["residual_cents"] = 1
    spec = reconciled(forge, packet_tables, rows, exposure_rollforward=lines)
    assert refused(lambda: build_packet(spec, forge.signer)) == "evidence_residual"


@pytest.mark.parametrize(
    ("table", "change", "code"),
    [
        ("reconciliation_runs", {"verdict": "pass"}, "table_columns"),
        ("reconciliation_runs", {"currency": "USD"}, "table_columns"),
        ("reconciliation_runs", {"gross_cents": "1"}, "table_columns"),
        ("reconciliation_runs", {"gross_cents": True}, "table_columns"),
        ("reconciliation_drift", {"outcome": "ok"}, "evidence_counts"),
        ("reconciliation_drift", {"outcome": None}, "evidence_counts"),
        ("reconciliation_drift", {"reason_code": None}, "json_key"),
        ("exposure_rollforward", {"currency": None}, "table_columns"),
        ("exposure_rollforward", {"closing_cents": "1"}, "table_columns"),
        ("reconciliation_bridge", {"currency": None}, "table_columns"),
    ],
)
def test_a_cell_that_evidence_needs_has_its_form(
    forge, packet_tables, rows, refused, table, change, code
) -> None:
    kind = table.removeprefix("reconciliation_").removesuffix("_rollforward")
    forged = rows[kind]()
    forged[-1] |= change
    spec = forge.spec(tables=packet_tables(**{table: forged}))
    assert refused(lambda: build_packet(spec, forge.signer)) == code


def test_two_rows_for_one_currency(forge, packet_tables, rows, refused) -> None:
    doubled = rows["runs"]() + rows["runs"]("reconciled")
    packed = packet_tables(reconciliation_runs=doubled)
    packed["reconciliation_runs"] = packed["reconciliation_runs"].__class__(
        ("currency", "verdict"), doubled
    )
    spec = forge.spec(tables=packed)
    assert refused(lambda: build_packet(spec, forge.signer)) == "evidence_totals"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"verdict": "reconciled"}, "evidence_verdict"),
        ({"counts": {"break": 3, "pending": 1}}, "evidence_counts"),
        ({"currencies": ("usd",)}, "spec_mismatch"),
        ({"currencies": ("usd", "eur", "gbp")}, "spec_mismatch"),
    ],
)
def test_the_emitter_signs_no_claim_that_the_rows_do_not_bear(forge, refused, change, code) -> None:
    spec = forge.spec(**change)
    assert refused(lambda: build_packet(spec, forge.signer)) == code


def test_totals_beyond_53_bits_are_refused_not_rounded(forge, packet_tables, rows, refused) -> None:
    lines = [row | {"closing_cents": 2**53 - 1} for row in rows["exposure"]()]
    spec = forge.spec(tables=packet_tables(exposure_rollforward=lines))
    assert refused(lambda: build_packet(spec, forge.signer)) == "json_int_range"


def test_the_totals_are_those_of_the_rows(forge) -> None:
    document = canonical.loads_strict(forge.files()[CHARGEBACKS])
    assert isinstance(document, dict)
    assert document["count"] == 3
    assert document["totals"]["usd"] == {
        "closing_cents": 420,
        "opening_cents": 300,
        "residual_cents": 0,
        "withdrawn_cents": 120,
    }
