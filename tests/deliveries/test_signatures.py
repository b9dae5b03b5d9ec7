"""A delivery counts only if one of our secrets signed these bytes at about this time."""

from __future__ import annotations

import hmac
from datetime import timedelta

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from ingest.deliveries import signature
from ingest.deliveries.signature import DeliveryRefused, verify_signature
from tests.deliveries.desk import NOW, SECRET, T, body_of, event, signed

BODY = body_of(event())


def refusal(header: str | None, body: bytes = BODY, **over: object) -> str:
    settings = {"secrets": [SECRET], "now": NOW} | over
    with pytest.raises(DeliveryRefused) as refused:
        verify_signature(header, body, **settings)  # type: ignore[arg-type]
    assert SECRET not in str(refused.value)
    return refused.value.code


def test_what_stripes_own_sdk_accepts_is_accepted() -> None:
    header = signed(BODY)
    digest = stripe.WebhookSignature._compute_signature(f"{T}.{BODY.decode()}", SECRET)
    assert header == f"t={T},v1={digest}"
    verify_signature(header, BODY, secrets=[SECRET], now=NOW)


def test_the_kernels_vector_is_accepted() -> None:
    digest = "ec2f72cb91c296a7307b8a198713f9bb4bade6ee9e24f5432ce4ce97a75fa451"
    body = b'{"operationId":"op","eventType":"submitted"}'
    now = NOW.fromtimestamp(1769853600, NOW.tzinfo)
    verify_signature(f"t=1769853600,v1={digest}", body, secrets=["whsec_x"], now=now)
    verify_signature(f"t=1769853600,v1={digest.upper()}", body, secrets=["whsec_x"], now=now)


def test_one_flipped_bit_anywhere_is_refused() -> None:
    header = signed(BODY)
    for place in range(0, len(BODY), 7):
        forged = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
        assert refusal(header, forged) == "signature_digest_mismatch"


def test_a_signature_moved_to_another_time_is_refused() -> None:
    assert refusal(signed(BODY).replace(f"t={T}", f"t={T + 1}")) == "signature_digest_mismatch"
    assert refusal(signed(BODY).replace(f"t={T}", f"t=0{T}")) == "signature_digest_mismatch"


def test_either_secret_counts_while_one_is_rotated_and_a_third_does_not() -> None:
    for secret in ("whsec_old", "whsec_new"):
        verify_signature(
            signed(BODY, secret=secret), BODY, secrets=["whsec_new", "whsec_old"], now=NOW
        )
    assert (
        refusal(signed(BODY, secret="whsec_other"), secrets=["whsec_new", "whsec_old"])
        == "signature_digest_mismatch"
    )


def test_any_of_several_digests_may_match() -> None:
    header = signed(BODY).replace(",v1=", f",v1={'0' * 64},v0=abc,v1=")
    verify_signature(header, BODY, secrets=[SECRET], now=NOW)


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_exactly_the_tolerance_is_accepted_both_ways(seconds: int) -> None:
    verify_signature(
        signed(BODY), BODY, secrets=[SECRET], now=NOW + timedelta(seconds=seconds, microseconds=9)
    )


@pytest.mark.parametrize("seconds", [-301, 301, 86_400, -86_400])
def test_an_old_capture_and_one_from_the_future_are_refused(seconds: int) -> None:
    now = NOW + timedelta(seconds=seconds)
    assert refusal(signed(BODY), now=now) == "signature_outside_tolerance"


def test_a_wrong_digest_is_told_before_a_wrong_time() -> None:
    header = signed(BODY, secret="whsec_other")
    assert refusal(header, now=NOW + timedelta(days=1)) == "signature_digest_mismatch"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "signature_header_missing"),
        ("", "signature_header_missing"),
        ("v1=" + "0" * 64, "signature_timestamp_missing"),
        (f"t={T}", "signature_digest_missing"),
        (f"t={T},v1=", "signature_digest_missing"),
        (f"t={T},v0={'0' * 64}", "signature_digest_missing"),
        ("t=now,v1=" + "0" * 64, "signature_timestamp_invalid"),
        ("t=-1,v1=" + "0" * 64, "signature_timestamp_invalid"),
        ("t=1.5,v1=" + "0" * 64, "signature_timestamp_invalid"),
        ("t=١٢٣,v1=" + "0" * 64, "signature_timestamp_invalid"),
        (f"t={T},t={T},v1=" + "0" * 64, "signature_timestamp_invalid"),
        (f"t={T}," + "v1=0," * 5_000, "signature_timestamp_invalid"),
        (f"t={T},v1=é", "signature_digest_mismatch"),
    ],
)
def test_a_malformed_header_is_refused_by_name(header: str | None, code: str) -> None:
    assert refusal(header) == code


def test_a_blank_secret_verifies_nothing() -> None:
    header = signed(BODY, secret="")
    assert refusal(header, secrets=[""]) == "signature_secret_missing"
    assert refusal(header, secrets=["  ", ""]) == "signature_secret_missing"
    assert refusal(header, secrets=[]) == "signature_secret_missing"


def test_every_secret_meets_every_digest_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def counted(left: bytes, right: bytes) -> bool:
        compared.append(right)
        return hmac.compare_digest(left, right)

    class Counting:
        compare_digest = staticmethod(counted)
        digest = staticmethod(hmac.digest)

    monkeypatch.setattr(signature, "hmac", Counting)
    header = signed(BODY) + f",v1={'0' * 64}"  # the first pair already matches
    verify_signature(header, BODY, secrets=[SECRET, "b", "c"], now=NOW)
    assert len(compared) == 6


@given(st.text(max_size=200))
def test_no_header_breaks_the_check(header: str) -> None:
    with pytest.raises(DeliveryRefused):
        verify_signature(header, BODY, secrets=[SECRET], now=NOW)
