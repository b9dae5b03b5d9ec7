"""Whatever a rightful signer put into plan, SQL, inputs and kernel documents: only refusals."""

from __future__ import annotations

import contextlib
import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence import build, canonical, kernel_packet, plan, replay
from evidence.errors import Refusal
from evidence.kernel_keys import sign_document
from tests.evidence.conftest import tables
from tests.evidence.test_fuzz import JSON, edits, refusal_of
from tests.evidence.test_kernel_packet import FOLDER, NAMES, carrying
from tests.evidence.test_replay import TABLES, replay_of

BOUNDED = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
_WOVEN = (
    "select from where with as t ( ) , . * 1 'x' null union all join on group by order over case"
    " partition when then else end in exists values pivot unnest lateral summarize describe ; --"
    " tenant_id currency $1 ? ::int [1] tablesample using sample work.staging.stg_tie_outs"
)
WORDS = sorted({*replay.FUNCTIONS, *replay.PADDING, *_WOVEN.split()})


@pytest.fixture(scope="module")
def planned(issuer) -> dict[str, bytes]:
    spec = issuer.spec(replay=replay_of(tables()))
    return dict(build.build_packet(spec, issuer.signer).files)


def resealed(issuer, files: dict[str, bytes]) -> dict[str, bytes]:
    """What a rightful signer would sign: digests of inputs and statements as they now are."""
    run = json.loads(files[build.RUN_FILE])
    with contextlib.suppress(Refusal, KeyError):
        read = plan.read_plan(files[plan.PLAN_FILE])
        run["code_sha256"] = plan.code_digest(read, files)
        for relation in read.inputs:
            data = files[plan.input_file(relation)]
            run["inputs"][relation.rsplit(".", 1)[-1]] = {
                "rows": data.count(b"\n"),
                "sha256": canonical.sha256_hex(data),
            }
    return issuer.seal(files | {build.RUN_FILE: canonical.dumps(run)})


@BOUNDED
@given(data=st.data())
def test_the_plans_reader_refuses_and_never_crashes(planned, data) -> None:
    drawn = data.draw(edits(planned[plan.PLAN_FILE]))
    assert refusal_of(lambda: plan.read_plan(drawn)) != "verifier_defect"


@BOUNDED
@given(data=st.data())
def test_no_signed_plan_crashes_the_verifier(issuer, planned, data) -> None:
    document = json.loads(planned[plan.PLAN_FILE])
    target = document
    while data.draw(st.booleans()):
        inner = [value for value in target.values() if isinstance(value, dict)]
        inner += [v for each in target.values() if isinstance(each, list) for v in each
                  if isinstance(v, dict)]  # fmt: skip
        if not inner:
            break
        target = data.draw(st.sampled_from(inner))
    if target:
        target[data.draw(st.sampled_from(sorted(target)))] = data.draw(JSON)
    try:
        written = canonical.dumps(document)
    except Refusal:
        return
    forged = resealed(issuer, planned | {plan.PLAN_FILE: written})
    assert refusal_of(lambda: issuer.verify(forged, replay=True)) != "verifier_defect"


@BOUNDED
@given(data=st.data())
def test_no_signed_statement_of_sql_crashes_the_verifier(issuer, planned, data) -> None:
    name = f"replay/{data.draw(st.sampled_from(TABLES))}.sql"
    honest = planned[name]
    spliced = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
    parts = re.split(r"(\s+)", honest.decode())
    place = data.draw(st.integers(0, len(parts)))
    woven = "".join([*parts[:place], " ", data.draw(spliced), " ", *parts[place:]]).encode()
    sql = data.draw(st.sampled_from([woven]) | edits(honest) | st.binary(max_size=40))
    forged = resealed(issuer, planned | {name: sql})
    assert refusal_of(lambda: issuer.verify(forged, replay=True)) != "verifier_defect"


@BOUNDED
@given(data=st.data())
def test_no_signed_input_crashes_the_verifier(issuer, planned, data) -> None:
    name = plan.input_file(f"work.staging.stg_{data.draw(st.sampled_from(TABLES))}")
    rows = planned[name].split(b"\n")
    row = json.loads(rows[0])
    row[data.draw(st.sampled_from(sorted(row)))] = data.draw(JSON)
    line = json.dumps(row, sort_keys=True, separators=(",", ":")).encode()
    changed = b"\n".join(sorted([line, *rows[1:-1]])) + b"\n"
    drawn = data.draw(st.sampled_from([changed]) | edits(planned[name]))
    forged = resealed(issuer, planned | {name: drawn})
    assert refusal_of(lambda: issuer.verify(forged, replay=True)) != "verifier_defect"


@BOUNDED
@given(data=st.data())
def test_no_signed_kernel_document_crashes_the_verifier(issuer, data) -> None:
    files = carrying(issuer)
    name = f"{FOLDER}/{data.draw(st.sampled_from(NAMES))}.json"
    assert kernel_packet.is_kernel_file(name)
    document = json.loads(files[name])
    target = document
    while data.draw(st.booleans()):
        inner = [value for value in target.values() if isinstance(value, dict) and value]
        if not inner:
            break
        target = data.draw(st.sampled_from(inner))
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(JSON)
    try:
        if data.draw(st.booleans()):
            document = sign_document(document, issuer.signer)
        forged = issuer.seal(files | {name: canonical.dumps(document)})
    except Refusal:
        return
    assert refusal_of(lambda: issuer.verify(forged)) != "verifier_defect"
