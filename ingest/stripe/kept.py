"""The allow-list: what is kept of each Stripe object, in the order of the columns on disk.

Belongs here: one declaration a table. Does not belong here: any code that reads or writes. What is
not named in this file never reaches the disk: no name, e-mail or postal address, card or bank
detail, description, statement descriptor, receipt, dispute evidence or free metadata.

Money keeps Stripe's names (`amount`, `fee`, `net`): integers in minor units beside `currency`.
Every table starts with the account that was asked and ends with API version and digest; `Shape`
adds those.
"""

from __future__ import annotations

from typing import Final

from ingest.stripe.shapes import Shape, count, flag, identifier, text, time_of, whole

__all__ = [
    "ACCOUNTS",
    "APPLICATION_FEES",
    "APPLICATION_FEE_REFUNDS",
    "BALANCES",
    "BALANCE_TRANSACTIONS",
    "BALANCE_TRANSACTION_FEES",
    "CHARGES",
    "DISPUTES",
    "DISPUTE_BALANCE_TRANSACTIONS",
    "EVENTS",
    "PAYOUTS",
    "PAYOUT_MEMBERS",
    "REFUNDS",
    "TOPUPS",
    "TRANSFERS",
    "TRANSFER_REVERSALS",
]

BALANCES: Final = Shape(
    "balances",
    (
        text("snapshot"),
        text("balance_type"),
        text("currency"),
        text("bucket"),
        whole("amount"),
        time_of("taken_at"),
        flag("livemode"),
    ),
    key=("snapshot", "balance_type", "currency", "bucket"),
    seen=("taken_at",),
)

BALANCE_TRANSACTIONS: Final = Shape(
    "balance_transactions",
    (
        identifier("id"),
        whole("amount", needed=True),
        whole("fee", needed=True),
        whole("net", needed=True),
        text("currency", needed=True),
        text("type"),
        text("reporting_category"),
        text("balance_type"),
        identifier("source"),
        text("status"),
        time_of("created", needed=True),
        time_of("available_on", needed=True),
        text("exchange_rate_text", "exchange_rate"),
    ),
    key=("id",),
)

BALANCE_TRANSACTION_FEES: Final = Shape(
    "balance_transaction_fees",
    (
        identifier("balance_transaction_id"),
        whole("fee_no"),
        whole("amount", needed=True),
        text("currency", needed=True),
        text("type"),
    ),
    key=("balance_transaction_id", "fee_no"),
)

TRANSFERS: Final = Shape(
    "transfers",
    (
        identifier("id"),
        whole("amount", needed=True),
        whole("amount_reversed"),
        flag("reversed"),
        text("currency", needed=True),
        identifier("balance_transaction"),
        identifier("destination"),
        identifier("destination_payment"),
        identifier("source_transaction"),
        text("transfer_group"),
        text("source_type"),
        time_of("created", needed=True),
        flag("livemode"),
    ),
    key=("id",),
    metadata=True,
)

TRANSFER_REVERSALS: Final = Shape(
    "transfer_reversals",
    (
        identifier("id"),
        identifier("transfer"),
        whole("amount", needed=True),
        text("currency", needed=True),
        identifier("balance_transaction"),
        identifier("destination_payment_refund"),
        identifier("source_refund"),
        time_of("created", needed=True),
    ),
    key=("id",),
    metadata=True,
)

CHARGES: Final = Shape(
    "charges",
    (
        identifier("id"),
        whole("amount", needed=True),
        whole("amount_captured"),
        whole("amount_refunded"),
        text("currency", needed=True),
        identifier("balance_transaction"),
        identifier("application_fee"),
        whole("application_fee_amount"),
        flag("captured"),
        flag("paid"),
        flag("refunded"),
        flag("disputed"),
        text("status"),
        identifier("payment_intent"),
        identifier("on_behalf_of"),
        identifier("source_transfer"),
        identifier("transfer"),
        text("transfer_group"),
        identifier("failure_balance_transaction"),
        identifier("destination", "transfer_data.destination"),
        time_of("created", needed=True),
        flag("livemode"),
    ),
    key=("id",),
    metadata=True,
    # The receipt's address is signed anew for every answer.
    volatile=frozenset({"receipt_url"}),
)

REFUNDS: Final = Shape(
    "refunds",
    (
        identifier("id"),
        identifier("charge"),
        whole("amount", needed=True),
        text("currency", needed=True),
        text("status"),
        identifier("balance_transaction"),
        identifier("failure_balance_transaction"),
        identifier("transfer_reversal"),
        identifier("source_transfer_reversal"),
        text("reason"),
        identifier("payment_intent"),
        time_of("created", needed=True),
    ),
    key=("id",),
    metadata=True,
)

DISPUTES: Final = Shape(
    "disputes",
    (
        identifier("id"),
        identifier("charge"),
        whole("amount", needed=True),
        text("currency", needed=True),
        text("status"),
        text("reason"),
        flag("is_charge_refundable"),
        text("case_type", "payment_method_details.card.case_type"),
        text("network_reason_code", "payment_method_details.card.network_reason_code"),
        time_of("due_by", "evidence_details.due_by"),
        identifier("payment_intent"),
        time_of("created", needed=True),
        flag("livemode"),
    ),
    key=("id",),
)

DISPUTE_BALANCE_TRANSACTIONS: Final = Shape(
    "dispute_balance_transactions",
    (
        identifier("dispute_id"),
        identifier("balance_transaction_id", "id"),
        whole("amount", needed=True),
        whole("fee", needed=True),
        whole("net", needed=True),
        text("currency", needed=True),
        text("type"),
        text("reporting_category"),
        time_of("created", needed=True),
        time_of("available_on"),
    ),
    key=("dispute_id", "balance_transaction_id"),
)

PAYOUTS: Final = Shape(
    "payouts",
    (
        identifier("id"),
        whole("amount", needed=True),
        text("currency", needed=True),
        text("status"),
        flag("automatic"),
        text("method"),
        text("type"),
        time_of("arrival_date"),
        identifier("balance_transaction"),
        identifier("failure_balance_transaction"),
        text("failure_code"),
        identifier("original_payout"),
        identifier("reversed_by"),
        text("reconciliation_status"),
        text("source_type"),
        text("trace_id_status", "trace_id.status"),
        time_of("created", needed=True),
        flag("livemode"),
    ),
    key=("id",),
)

PAYOUT_MEMBERS: Final = Shape(
    "payout_members",
    (
        identifier("payout_id"),
        identifier("balance_transaction_id", "id"),
        whole("net", needed=True),
        text("currency", needed=True),
    ),
    key=("payout_id", "balance_transaction_id"),
)

ACCOUNTS: Final = Shape(
    "accounts",
    (
        identifier("id"),
        text("country"),
        text("default_currency"),
        text("type"),
        flag("charges_enabled"),
        flag("payouts_enabled"),
        flag("details_submitted"),
        text("capability_transfers", "capabilities.transfers"),
        text("capability_card_payments", "capabilities.card_payments"),
        text("disabled_reason", "requirements.disabled_reason"),
        count("currently_due_count", "requirements.currently_due"),
        count("eventually_due_count", "requirements.eventually_due"),
        count("past_due_count", "requirements.past_due"),
        count("pending_verification_count", "requirements.pending_verification"),
        count("requirement_errors_count", "requirements.errors"),
        time_of("requirements_due_by", "requirements.current_deadline"),
        text("future_disabled_reason", "future_requirements.disabled_reason"),
        count("future_currently_due_count", "future_requirements.currently_due"),
        count("future_past_due_count", "future_requirements.past_due"),
        time_of("future_requirements_due_by", "future_requirements.current_deadline"),
        text("losses_payments", "controller.losses.payments"),
        text("fees_payer", "controller.fees.payer"),
        text("requirement_collection", "controller.requirement_collection"),
        text("payouts_interval", "settings.payouts.schedule.interval"),
        time_of("created"),
    ),
    key=("id",),
)

EVENTS: Final = Shape(
    "events",
    (
        identifier("id"),
        text("type"),
        identifier("object_id", "data.object.id"),
        text("object_type", "data.object.object"),
        identifier("account"),
        text("api_version_event", "api_version"),
        time_of("created"),
        flag("livemode"),
    ),
    key=("id",),
    volatile=frozenset({"pending_webhooks"}),
)

APPLICATION_FEES: Final = Shape(
    "application_fees",
    (
        identifier("id"),
        identifier("account"),
        whole("amount", needed=True),
        whole("amount_refunded"),
        text("currency", needed=True),
        identifier("balance_transaction"),
        identifier("charge"),
        identifier("originating_transaction"),
        flag("refunded"),
        time_of("created", needed=True),
        flag("livemode"),
    ),
    key=("id",),
)

APPLICATION_FEE_REFUNDS: Final = Shape(
    "application_fee_refunds",
    (
        identifier("id"),
        identifier("fee"),
        whole("amount", needed=True),
        text("currency", needed=True),
        identifier("balance_transaction"),
        time_of("created", needed=True),
    ),
    key=("id",),
)

TOPUPS: Final = Shape(
    "topups",
    (
        identifier("id"),
        whole("amount", needed=True),
        text("currency", needed=True),
        text("status"),
        identifier("balance_transaction"),
        time_of("created", needed=True),
        flag("livemode"),
    ),
    key=("id",),
)
