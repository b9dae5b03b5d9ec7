"""The named scenarios: what each plants, and which code the warehouse must answer with.

Belongs here: this table and the mapping `SCENARIOS`. Does not belong here: the planting functions,
whose docstrings are the full specification (the scenarios_*.py modules).

X is the instruction's amount, A a charge's, H a hold's. Drift is expected minus actual, each the
magnitude in the direction of its kind, so unexpected money is negative and missing money positive.
A row is on the rail object at fault, else on the kernel object; `_platform` marks rows that belong
to no tenant. Rules of thumb: transfers consume the instruction of their payout key in time order;
due is 3 days after the instruction was generated (or the receipt settled); late is 10 days after.

| scenario | code | drift | on |
|---|---|---|---|
| clean_day | MATCHED | 0 | every payout |
| missing_transfer | MISSING_EXTERNAL | +X | instruction |
| pending_payout | TIMING (pending) | +X | instruction |
| missing_receipt | MISSING_INTERNAL | -9100 | transfer with unknown references |
| amount_over / amount_under | AMOUNT_OVER / AMOUNT_UNDER | -700 / +700 | transfer |
| duplicate_transfer | DUPLICATE_EXTERNAL | -X | second transfer |
| duplicate_instruction | DUPLICATE_INTERNAL | +X | second instruction |
| currency_mismatch | CURRENCY_MISMATCH, twice | +X USD, -X EUR | instruction, transfer |
| destination_mismatch | DESTINATION_MISMATCH, twice | +X alpha, -X beta | instruction, transfer |
| partial_reversal | STATUS_CONFLICT | +700 | transfer |
| full_reversal_unbooked | STATUS_CONFLICT | +X | transfer |
| full_reversal_booked | MATCHED | 0 | payout |
| split_payout | MATCHED | 0 | payout |
| split_incomplete | SPLIT_INCOMPLETE | +700 | last transfer |
| split_over | AMOUNT_OVER | -700 | last transfer |
| fee_variance | FEE_VARIANCE | + fee above floor(20 %) | transfer |
| holdback_variance | HOLDBACK_VARIANCE | -H | transfer |
| holdback_released | MATCHED | 0 | both payouts |
| holdback_refunded | MATCHED | 0 | payout |
| late_settlement | LATE_SETTLEMENT | 0 | transfer |
| sign_mismatch | SIGN_MISMATCH | -2X | transfer |
| reference_missing | REFERENCE_MISSING | -4321 | transfer |
| reference_by_operation, reference_by_amount | MATCHED | 0 | payout |
| ambiguous_match | AMBIGUOUS_MATCH, three times | +X, +X, -X | instructions, transfer |
| charge_without_receipt | MISSING_INTERNAL | -6600 | charge, `_platform` |
| receipt_without_charge | MISSING_EXTERNAL | +A | receipt |
| charge_short / charge_over | AMOUNT_UNDER / AMOUNT_OVER | +300 / -300 | charge |
| refund_missing | MISSING_EXTERNAL | +4000 | receipt |
| refund_unbooked | MISSING_INTERNAL | -2500 | refund |
| dispute_lost, dispute_open | no break | | exposure A + 1500 |
| dispute_won | no break | | exposure 1500 |
| dispute_inquiry | no break | | exposure 0, contingent A |
| dispute_not_booked | DISPUTE_NOT_BOOKED | -7700 | dispute, `_platform` |
| | MISSING_INTERNAL | -7700 | its charge, `_platform` |
| unmapped_category | UNCLASSIFIED | +700 | balance transaction, `_platform` |
| hash_lies | MISSING_INTERNAL; TIMING | -A; +X | charge; instruction (UNFUNDED_PAYOUT) |
| torn_line | TIMING | +X | held EVIDENCE_INCOMPLETE, verdict incomplete |
| unsigned_manifest, foreign_manifest, | TIMING | +X | held EVIDENCE_UNVERIFIED, |
| missing_manifest, altered_export | | | at most reconciled_with_warnings |
| payout_release | TIMING | +X | release X |
| kill_switch | TIMING | +X | PAYOUT_KILL_SWITCH_ACTIVE |
| real_money_off | TIMING | +X | REAL_MONEY_DISABLED |
| provider_not_allowed | TIMING | +X | MONEY_RAIL_PROVIDER_NOT_ALLOWED |
| rail_degraded | TIMING | +X | MONEY_RAIL_DEGRADED_ENQUEUE_DENIED |
| cap_exceeded | TIMING | +X | PAYOUT_AMOUNT_LIMIT_EXCEEDED |
| daily_limit | TIMING | +X | PAYOUT_DAILY_LIMIT_EXCEEDED |
| negative_balance_hold | TIMING | +X | NEGATIVE_BALANCE_PAYOUT_HOLD |
| net_recovery | TIMING | +X | release X - (A + 1500) |
| holdback_open | TIMING | +X | HOLDBACK_WINDOW_OPEN |
| account_not_capable | TIMING | +X | ACCOUNT_NOT_CAPABLE |
| counterparty_mismatch | TIMING | +X | STRIPE_CONNECT_COUNTERPARTY_MISMATCH |
| superseded_instruction | DUPLICATE_INTERNAL | +X | second instruction, SUPERSEDED_INSTRUCTION |
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ingest.simulator import (
    scenarios_evidence,
    scenarios_gates,
    scenarios_holdbacks,
    scenarios_payouts,
    scenarios_references,
    scenarios_sources,
)
from ingest.simulator.scene import REGISTRY, Scenario

__all__ = ["SCENARIOS", "Scenario"]

# Importing a module registers its scenarios; naming the modules keeps the imports honest.
_MODULES = (
    scenarios_payouts,
    scenarios_references,
    scenarios_holdbacks,
    scenarios_sources,
    scenarios_evidence,
    scenarios_gates,
)

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(REGISTRY)
