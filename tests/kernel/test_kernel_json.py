"""Strict reading and the kernel's canonical form: what is refused, and that both readers agree."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence import kernel_json
from evidence.artifacts import KernelArtifacts
from evidence.errors import Refusal

CASES = [
    ("torn", b'{"a":1,"b', "json_syntax"),
    ("two objects", b'{"a":1}{"a":2}', "json_syntax"),
    ("byte order mark", b'\xef\xbb\xbf{"a":1}', "json_syntax"),
    ("invalid UTF-8", b'{"a":"\xff"}', "json_utf8"),
    ("duplicate key", b'{"a":1,"a":2}', "json_duplicate_key"),
    ("same value twice", b'{"a":1,"a":1}', "json_duplicate_key"),
    ("duplicate key inside", b'{"x":[{"a":1,"a":1}]}', "json_duplicate_key"),
    ("duplicate key by escape", b'{"a":1,"\\u0061":2}', "json_duplicate_key"),
    ("__proto__", b'{"__proto__":{"a":1}}', "json_proto_key"),
    ("__proto__ by escape", b'{"\\u005f_proto__":1}', "json_proto_key"),
    ("NaN", b'{"a":NaN}', "json_nan"),
    ("infinity", b'{"a":-Infinity}', "json_nan"),
    ("-0", b'{"a":-0}', "json_negative_zero"),
    ("-0.0", b'{"a":-0.0}', "json_negative_zero"),
    ("-0.0 money", b'{"amountCents":-0.0}', "json_negative_zero"),
    ("2^53", b'{"a":9007199254740992}', "json_int_range"),
    ("-2^53", b'{"a":-9007199254740992}', "json_int_range"),
    ("2^64", b'{"a":18446744073709551616}', "json_int_range"),
    ("digit bomb", b'{"a":' + b"9" * 5000 + b"}", "json_int_range"),
    ("2^53 as a float", b'{"a":9007199254740992.0}', "json_int_range"),
    ("1e20", b'{"a":1e20}', "json_int_range"),
    ("float overflow", b'{"a":1e400}', "json_int_range"),
    ("float money", b'{"amountCents":12.5}', "json_float_money"),
    ("whole float money", b'{"amountCents":1250.0}', "json_float_money"),
    ("exponent money", b'{"x":{"feesCents":1e3}}', "json_float_money"),
    ("float total", b'{"totalsByAccountId":{"acct_cash":1.5}}', "json_float_money"),
    ("float amounts", b'{"splitCents":[1,2.0]}', "json_float_money"),
    ("lone surrogate", b'{"a":"\\ud800"}', "json_lone_surrogate"),
    ("lone surrogate name", b'{"\\udc00":1}', "json_lone_surrogate"),
    ("too deep", b'{"a":' * 255 + b"1" + b"}" * 255, "json_too_deep"),
    ("far too deep", b"[" * 100_000, "json_too_deep"),
    ("no object", b"[1]", "json_not_object"),
    ("bare word", b'"hello"', "json_not_object"),
]


@pytest.mark.parametrize(("name", "line", "code"), CASES, ids=[case[0] for case in CASES])
def test_a_text_with_two_readings_is_refused_by_name(name: str, line: bytes, code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        kernel_json.read(line)
    assert refusal.value.code == code
    assert "hello" not in str(refusal.value), "a refusal repeats nothing of the line"


def test_an_over_long_line_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(Refusal) as refusal:
        kernel_json.read(b'{"a":"' + b"x" * kernel_json.MAX_LINE_BYTES + b'"}')
    assert refusal.value.code == "json_too_big"


def test_the_largest_safe_integers_pass() -> None:
    text = '{"a":9007199254740991,"b":-9007199254740991}'
    assert kernel_json.read(text.encode()).canonical == text


@pytest.mark.parametrize("fast", [True, False])
def test_array_index_names_come_first_as_in_the_kernel(
    fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fast:
        monkeypatch.setattr(kernel_json, "_orjson", None)
    line = b'{"10":1,"9":2,"-1":5,"01":6,"B":4,"a":3}'
    expected = '{"9":2,"10":1,"-1":5,"01":6,"B":4,"a":3}'
    assert kernel_json.read(line).canonical == expected


def test_only_true_array_indexes_come_first() -> None:
    value = {"4294967295": 1, "4294967294": 2, "b": 3}
    assert kernel_json.dumps(value) == '{"4294967294":2,"4294967295":1,"b":3}'
    assert kernel_json.dumps({"-": 0, "4294967295": 1}) == '{"-":0,"4294967295":1}'


def test_names_are_sorted_by_utf16_unit() -> None:
    """A character beyond the basic plane sorts before U+E000 there, and after it by code point."""
    line = '{"\ue000":1,"\U0001f600":2}'.encode()
    assert kernel_json.read(line).canonical == '{"\U0001f600":2,"\ue000":1}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (-2.5, "-2.5"),
        (1e21, "1e+21"),
        (9007199254740991.0, "9007199254740991"),
        (4503599627370495.5, "4503599627370495.5"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1.5e-9, "1.5e-9"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (0.1, "0.1"),
        (0.0, "0"),
    ],
)
def test_floats_are_written_as_ecmascript_writes_them(value: float, text: str) -> None:
    assert kernel_json.dumps({"n": value}) == f'{{"n":{text}}}'


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (2**53, "json_int_range"),
        (-(2**53), "json_int_range"),
        (float("nan"), "json_nan"),
        (float("-inf"), "json_nan"),
        (-0.0, "json_negative_zero"),
    ],
)
def test_a_number_that_no_reader_would_accept_is_not_written(value: float, code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        kernel_json.dumps({"n": [value]})
    assert refusal.value.code == code


def test_strings_are_escaped_as_ecmascript_does() -> None:
    value = {"s": '"\\/\b\f\n\r\t\x00\x1f\x7f\u2028é'}
    expected = '{"s":"\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\u2028é"}'
    assert kernel_json.dumps(value) == expected


def test_the_reference_text_hashes_as_the_original_hashes_it() -> None:
    line = (
        '{"b":1,"a":[true,null,"é\\u2028\\n\\"\\\\/"],"10":1,"2":2,"Z":1.5,"é":"x","n":1e21,'
        '"m":0.1,"k":100}'
    )
    canonical = kernel_json.read(line.encode()).canonical
    assert hashlib.sha256(canonical.encode()).hexdigest() == (
        "502b9ac13600a7d8c6bc8f9e00a4ce1d0c567a9e59a72bcbd9da13c3b152be17"
    )


def test_layout_does_not_matter_and_the_canonical_text_is_kept() -> None:
    line = b' {\n "b" : 1 , "a" : [ 1 , {"d":2, "c":"\\u0041"} ] } '
    assert kernel_json.read(line).canonical == '{"a":[1,{"c":"A","d":2}],"b":1}'


NAMES = st.text(
    alphabet=st.sampled_from([*"aZ_-019", "é", "\ue000", "\U0001f600", '"', "\\", "\n"]), max_size=4
)
NUMBERS = st.one_of(
    st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=5), st.booleans(), st.booleans())
def test_the_fast_reader_never_disagrees_with_the_slow_one(
    value: dict[str, Any], ascii_only: bool, spaced: bool
) -> None:
    separators = (", ", ": ") if spaced else (",", ":")
    text = json.dumps(value, ensure_ascii=ascii_only, separators=separators)
    line = text.encode("utf-8", "surrogatepass")
    fast = kernel_json.read_fast(line)
    try:
        slow = kernel_json.read_slow(line)
    except Refusal:
        assert fast is None
        return
    if fast is not None:
        assert (fast.canonical, fast.value) == (slow.canonical, slow.value)
    again = kernel_json.read(slow.canonical.encode())
    assert again.canonical == slow.canonical


def test_the_fast_reader_takes_an_ordinary_receipt(receipt: Any) -> None:
    """Otherwise every line would go the slow way and nobody would notice."""
    line = json.dumps(receipt(), separators=(",", ":")).encode()
    assert kernel_json.read_fast(line) is not None


@pytest.mark.parametrize("fast", [True, False])
def test_a_verdict_does_not_depend_on_the_reader(
    fast: bool, receipt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fast:
        monkeypatch.setattr(kernel_json, "_orjson", None)
    true = receipt()
    lying = {**true, "releasedAmountCents": 1251}
    judged = [
        KernelArtifacts().verify(
            "settlement_receipts", json.dumps(r, separators=(",", ":")).encode()
        )
        for r in (true, lying)
    ]
    assert [j.verdict for j in judged] == ["verified", "mismatch"]
    assert judged[1].expected == true["receiptHash"] != judged[1].got


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(Refusal) as refusal:
        KernelArtifacts().verify("secrets", b"{}")
    assert refusal.value.code == "artifact_type"


def test_a_byte_order_mark_is_named_and_not_called_a_torn_line() -> None:
    with pytest.raises(Refusal, match="byte order mark") as caught:
        kernel_json.read(b'\xef\xbb\xbf{"a":1}')
    assert caught.value.code == "json_syntax"
