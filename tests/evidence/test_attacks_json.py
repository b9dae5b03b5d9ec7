"""Attacks on the text of JSON documents and rows, in the reader and in the emitter."""

from __future__ import annotations

import json

import pytest

from evidence import build, canonical
from evidence.tables import Table, scan_table, write_table

DEEP_25 = b"[" * 25 + b"]" * 25


def envelope_text(forge, change) -> dict[str, bytes]:
    files = forge.files()
    return files | {build.ENVELOPE_FILE: change(files[build.ENVELOPE_FILE])}


def test_attack_18_duplicate_key_in_the_envelope(forge) -> None:
    forged = envelope_text(forge, lambda text: b'{"payload":"",' + text[1:])
    assert forge.refusal(forged) == "json_duplicate_key"


def test_attack_19_envelope_pretty_printed_or_reordered(forge) -> None:
    def reordered(text: bytes) -> bytes:
        members = json.loads(text)
        return json.dumps(dict(reversed(members.items())), separators=(",", ":")).encode()

    for change in (reordered, lambda text: json.dumps(json.loads(text), indent=1).encode()):
        assert forge.refusal(envelope_text(forge, change)) == "json_not_canonical"


ROWS = [
    ("20 duplicate key inside a row", b'{"id":"a","n":1,"n":1}', "json_duplicate_key"),
    ("21 NaN", b'{"id":"a","n":NaN}', "json_float_or_nan"),
    ("21b Infinity", b'{"id":"a","n":-Infinity}', "json_float_or_nan"),
    ("22 float money", b'{"id":"a","n":1.0}', "json_float_or_nan"),
    ("23 exponent", b'{"id":"a","n":1e400}', "json_float_or_nan"),
    ("24 integer beyond 53 bits", b'{"id":"a","n":9007199254740993}', "json_int_range"),
    ("24b negative beyond 53 bits", b'{"id":"a","n":-9007199254740992}', "json_int_range"),
    ("25 digit bomb", b'{"id":"a","n":' + b"9" * 5000 + b"}", "json_int_range"),
    ("26 minus zero", b'{"id":"a","n":-0}', "json_not_canonical"),
    ("27 __proto__", b'{"__proto__":1,"id":"a"}', "json_key"),
    ("28 non-ASCII key", '{"id":"a","\u00e9":1}'.encode(), "json_key"),
    ("29 alternative escape", b'{"id":"\\u0061","n":1}', "json_not_canonical"),
    ("30 lone surrogate", b'{"id":"a","n":"\\ud800"}', "json_lone_surrogate"),
    ("31 invalid UTF-8", b'{"id":"a","n":"\xff"}', "json_utf8"),
    ("31b overlong UTF-8", b'{"id":"a","n":"\xc0\xaf"}', "json_utf8"),
    ("32 byte-order mark", b'\xef\xbb\xbf{"id":"a","n":1}', "json_syntax"),
    ("33 100,000 nested arrays", b"[" * 100_000, "json_too_deep"),
    ("101 30 nested arrays", b'{"id":"a","n":' + b"[" * 30 + b"]" * 30 + b"}", "json_too_deep"),
    ("102 row over the limit", b'{"id":"' + b"a" * (1 << 20) + b'"}', "json_too_big"),
    ("white space", b'{"id":"a", "n":1}', "json_not_canonical"),
    ("reordered", b'{"n":1,"id":"a"}', "json_not_canonical"),
    ("trailing text", b'{"id":"a","n":1} ', "json_not_canonical"),
    ("two values", b'{"id":"a","n":1}{}', "json_syntax"),
    ("an array for a row", b'["a"]', "json_type"),
    ("a nested object in a row", b'{"id":"a","n":{}}', "json_type"),
    ("an empty line", b"", "json_syntax"),
]


@pytest.mark.parametrize(("attack", "line", "code"), ROWS, ids=[row[0] for row in ROWS])
@pytest.mark.parametrize("place", ["first row", "later row"])
def test_attack_on_a_row(refused, attack, line, code, place) -> None:
    # The first row of a table takes the slow path of the reader, later ones the quick one.
    before = b'{"id":"A","n":0}\n' if place == "later row" else b""
    data = before + line + b"\n"
    assert refused(lambda: scan_table("x", data, ("id",))) == code


def test_attack_20_duplicate_key_inside_a_signed_row(forge) -> None:
    files = forge.files()
    name = "tables/reconciliation_drift.ndjson"
    files[name] = files[name].replace(b'"outcome":"break"', b'"outcome":"break","outcome":"ok"')
    assert forge.refusal(forge.seal(files)) == "json_duplicate_key"


@pytest.mark.parametrize(
    ("name", "limit"), [(build.ENVELOPE_FILE, 64 << 10), (build.STATEMENT_FILE, 16 << 10)]
)
def test_attack_102_document_over_the_limit(forge, name, limit) -> None:
    if name == build.STATEMENT_FILE:
        forged = forge.enveloped(forge.statement() | {"padding": "x" * limit})
    else:
        forged = forge.files() | {name: b" " * (limit + 1)}
    assert forge.refusal(forged) == "json_too_big"


def test_the_deepest_allowed_value_passes_and_one_more_does_not(refused) -> None:
    assert canonical.loads_strict(DEEP_25) is not None
    assert refused(lambda: canonical.loads_strict(b"[" + DEEP_25 + b"]")) == "json_too_deep"
    assert refused(lambda: canonical.dumps(json.loads(b"[" + DEEP_25 + b"]"))) == "json_too_deep"


@pytest.mark.parametrize("name", ["__proto__", "constructor", "prototype", "", "a b", "x" * 129])
def test_member_names_on_which_readers_disagree(refused, name) -> None:
    assert refused(lambda: canonical.dumps({name: 1})) == "json_key"
    assert refused(lambda: canonical.loads_strict(json.dumps({name: 1}).encode())) == "json_key"
    assert refused(lambda: canonical.dumps({1: 1})) == "json_key"


class Cents(int):
    """A number that would print itself in a way of its own."""


@pytest.mark.parametrize("value", [1.0, b"x", (1,), {1}, object(), Cents(1), float("nan")])
def test_attack_99_emitter_refuses_every_other_type(refused, value) -> None:
    assert refused(lambda: canonical.dumps([value])) == "json_type"
    table = Table(("id",), [{"id": "a", "n": value}])
    assert refused(lambda: b"".join(write_table("x", table, 1 << 20))) == "json_type"


@pytest.mark.parametrize(
    ("value", "code"), [(2**53, "json_int_range"), ("\ud800", "json_lone_surrogate")]
)
def test_emitter_refuses_values_without_one_spelling(refused, value, code) -> None:
    assert refused(lambda: canonical.dumps([value])) == code
    table = Table(("id",), [{"id": "a", "n": value}])
    assert refused(lambda: b"".join(write_table("x", table, 1 << 20))) == code


def test_emitter_refuses_a_row_that_its_reader_would_refuse(refused) -> None:
    table = Table(("id",), [{"id": "a", "n": "x" * (1 << 20)}])
    assert refused(lambda: b"".join(write_table("x", table, 1 << 30))) == "json_too_big"


def test_free_layout_is_for_people_and_nothing_else_is_free(refused) -> None:
    assert canonical.loads_lenient(b'{ "b": 1,\n "a": 2 }') == {"a": 2, "b": 1}
    for text, code in (
        (b'{"a":1,"a":1}', "json_duplicate_key"),
        (b"[1.5]", "json_float_or_nan"),
        (b'{"__proto__":1}', "json_key"),
    ):
        assert refused(lambda text=text: canonical.loads_lenient(text)) == code
