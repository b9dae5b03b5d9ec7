"""Replay: what a rightful signer falsified is found, and hostile SQL of a packet does nothing."""

from __future__ import annotations

import builtins
import json
import time
from collections.abc import Mapping
from dataclasses import replace

import duckdb
import pytest

from evidence import build, cli, plan, replay
from evidence.errors import Refusal
from evidence.replay import Limits, computed
from evidence.tables import read_entries

TABLES = (
    "exposure_rollforward",
    "reconciliation_bridge",
    "reconciliation_drift",
    "reconciliation_runs",
)
RUNS_SQL = "replay/reconciliation_runs.sql"


def replay_of(tables: Mapping[str, object], **sql: str) -> plan.WrittenReplay:
    """A plan whose inputs are the rows of the tables themselves, each passed through one step."""
    inputs, steps = [], []
    for name in TABLES:
        rows = list(tables[name].rows)
        kinds = {
            column: "BIGINT" if any(type(row[column]) is int for row in rows) else "VARCHAR"
            for column in rows[0]
        }
        inputs.append(plan.Input(f"work.staging.stg_{name}", kinds, rows))
        text = f'with staged as (select * from "work"."staging"."stg_{name}") select * from staged'
        steps.append(plan.Step(f"warehouse.main.{name}", sql.get(name, text)))
    results = {name: plan.Result(f"warehouse.main.{name}", plan.OF_PERIOD) for name in TABLES}
    return plan.write_replay(plan.Replay(inputs, steps, results))


@pytest.fixture
def honest(forge, packet_tables):
    def make(**sql: str) -> dict[str, bytes]:
        spec = forge.spec(replay=replay_of(packet_tables(), **sql))
        built = build.build_packet(spec, forge.signer)
        from evidence import container

        return container.read_zip(built.zip_bytes)

    return make


def test_an_honest_packet_is_computed_again_byte_for_byte(forge, honest) -> None:
    said = forge.verify(honest(), replay=True)
    assert any(check.startswith("replay: 4 tables") for check in said.checks)
    assert not any("not replayed" in gap for gap in said.not_proven)


def test_without_replay_the_gap_is_told(forge, honest) -> None:
    said = forge.verify(honest())
    assert any("not replayed; use --replay" in gap for gap in said.not_proven)


def test_run_json_names_every_input_and_the_digest_of_the_sql(honest) -> None:
    run = json.loads(honest()[build.RUN_FILE])
    assert set(run["inputs"]) == {f"stg_{name}" for name in TABLES}
    assert run["inputs"]["stg_reconciliation_drift"]["rows"] == 3
    changed = json.loads(honest(reconciliation_runs="select 1 as tenant_id")[build.RUN_FILE])
    assert changed["code_sha256"] != run["code_sha256"]


def test_attack_74_an_insider_falsifies_tables_and_evidence_with_the_real_key(
    forge, honest
) -> None:
    files = honest()
    name = "tables/reconciliation_drift.ndjson"
    lines = files[name].split(b"\n")
    files[name] = b"\n".join(line for line in lines if b"brk_1" not in line)
    forged = forge.rederive(files)
    forge.verify(forged)
    assert forge.refusal(forged, replay=True) == "replay_differs"


def test_an_insider_who_changes_the_statements_too_is_found_by_their_digest(
    forge, honest, packet_tables, tmp_path, capsys
) -> None:
    """Replay by the signer's own SQL gives what it wants; the digest of another home's tells."""
    expected = json.loads(honest()[build.RUN_FILE])["code_sha256"]
    source = "work.staging.stg_reconciliation_drift"
    forged = honest(reconciliation_drift=f"select * from {source} where break_id <> 'brk_1'")
    name = "tables/reconciliation_drift.ndjson"
    lines = forged[name].split(b"\n")
    forged[name] = b"\n".join(line for line in lines if b"brk_1" not in line)
    forged = forge.rederive(forged)
    assert plan.CODE_GAP in forge.verify(forged, replay=True).not_proven

    trust = tmp_path / "trust.json"
    trust.write_text(json.dumps(forge.trust_document()))

    def typed(files: dict[str, bytes], *more: str) -> tuple[int, str]:
        (tmp_path / "p.zip").write_bytes(forge.pack(files))
        words = [str(tmp_path / "p.zip"), "--trust", str(trust), "--no-log-proof", *more]
        return cli.main(words), capsys.readouterr().out

    asked = ("--replay", "--code-sha256", expected)
    assert typed(forged, "--replay")[0] == 0
    code, out = typed(forged, *asked)
    assert code == 1
    assert "REFUSED  replay_code" in out
    code, out = typed(honest(), *asked)
    assert code == 0
    assert "code: the statements are those you expect" in out
    assert plan.CODE_GAP not in out
    assert typed(honest(), *asked[1:])[0] == 2


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        pytest.param("select * from read_text('/etc/hostname')", "sql_blocked", id="75-reads"),
        pytest.param("copy (select 1) to '/tmp/out.csv'", "sql_blocked", id="76-writes"),
        pytest.param(
            "set enable_external_access = true; install httpfs", "sql_blocked", id="77-loosens"
        ),
        pytest.param("select 1; select 2", "sql_blocked", id="two-statements"),
        pytest.param("drop table work.staging.stg_reconciliation_runs", "sql_blocked", id="drops"),
        pytest.param("select * from '/etc/passwd'", "sql_blocked", id="file-as-table"),
        pytest.param("select * from duckdb_settings()", "sql_blocked", id="settings"),
        pytest.param("select * from duckdb_tables", "sql_blocked", id="system-view"),
        pytest.param("select * from information_schema.tables", "sql_blocked", id="schema-view"),
        pytest.param("select now() as tenant_id", "sql_blocked", id="clock"),
        pytest.param("select random() as tenant_id", "sql_blocked", id="chance"),
        pytest.param("select current_setting('TimeZone') as x", "sql_blocked", id="setting"),
        pytest.param("select repeat('x', 3000000000) as x", "sql_blocked", id="long-text"),
        pytest.param("select rpad('x', 3000000000, 'x') as x", "sql_blocked", id="padded-text"),
        pytest.param("select lpad('x', 1000 * 1000 * 1000, 'x') as x", "sql_blocked",
                     id="padded-by-a-product"),
        pytest.param("select * from range(1000000000000)", "sql_blocked", id="endless"),
        pytest.param("select * from (show tables)", "sql_blocked", id="show"),
        pytest.param("selec 1", "sql_blocked", id="no-sql"),
        pytest.param("", "sql_blocked", id="empty"),
        pytest.param("select nothing_like_it from work.staging.stg_reconciliation_runs",
                     "replay_failed", id="unknown-column"),
        pytest.param("select 1 as x", "replay_failed", id="no-tenant"),
        pytest.param("select 't1' as tenant_id", "replay_differs", id="no-period"),
        pytest.param("select 't1' as tenant_id, '2026-10' as period", "replay_differs",
                     id="other-columns"),
    ],
)  # fmt: skip
def test_attack_75_to_77_hostile_sql_is_blocked(forge, honest, sql, code) -> None:
    forged = honest(reconciliation_runs=sql)
    forge.verify(forged)
    assert forge.refusal(forged, replay=True) == code


def test_the_engine_itself_is_closed_to_what_the_list_would_let_through(
    honest, monkeypatch
) -> None:
    files = honest(reconciliation_runs="select * from read_text('/etc/hostname')")
    monkeypatch.setattr(replay, "check_sql", lambda *_: None)
    with pytest.raises(Refusal) as caught, computed(files, read(files)):
        pass
    assert caught.value.code == "sql_blocked"
    assert "outside the engine" in caught.value.detail


def test_a_statement_that_fails_is_named(honest) -> None:
    files = honest(reconciliation_runs="select 1 as tenant_id, nothing_like_it")
    with pytest.raises(Refusal) as caught, computed(files, read(files)):
        pass
    assert caught.value.code == "replay_failed"
    assert RUNS_SQL in caught.value.detail


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("select 1 --" + "x" * plan.MAX_SQL_BYTES, id="text"),
        pytest.param("select " + "1," * 125_000 + "1", id="parts"),
    ],
)
def test_a_statement_too_large_to_judge_is_blocked(refused, sql) -> None:
    with duckdb.connect() as db:
        assert refused(lambda: replay.check_sql(db, sql, (), "x.sql")) == "sql_blocked"


def test_padding_to_a_constant_length_is_allowed(forge, honest) -> None:
    source = '"work"."staging"."stg_reconciliation_runs"'
    padded = f"select * from {source} where rpad(currency, 4, '0') <> 'none'"
    assert forge.verify(honest(reconciliation_runs=padded), replay=True)


def test_a_step_cannot_read_what_a_later_step_makes(forge, honest) -> None:
    forged = honest(exposure_rollforward="select * from warehouse.main.reconciliation_runs")
    assert forge.refusal(forged, replay=True) == "sql_blocked"


def test_a_statement_that_never_ends_is_stopped(honest) -> None:
    source = "work.staging.stg_reconciliation_drift"
    endless = (
        f"with recursive n as (select 1 as i from {source} union all select i + 1 from n)"
        " select max(i) as tenant_id from n"
    )
    files = honest(reconciliation_runs=endless)
    started = time.monotonic()
    with pytest.raises(Refusal) as caught, computed(files, read(files), Limits(512, 0.5)):
        pass
    assert caught.value.code == "replay_limits"
    assert time.monotonic() - started < 30


def test_time_that_runs_out_between_two_statements_stops_the_next(honest, monkeypatch) -> None:
    """An engine forgets an interrupt that finds it idle; a packet must not be able to use that."""
    source = "work.staging.stg_reconciliation_drift"
    endless = (
        f"with recursive n as (select 1 as i from {source} union all select i + 1 from n)"
        " select max(i) as tenant_id from n"
    )
    files = honest(reconciliation_runs=endless)
    judged = replay.check_sql

    def slowly(db, sql: str, known, name: str) -> None:
        judged(db, sql, known, name)
        if name == RUNS_SQL:
            time.sleep(1)

    monkeypatch.setattr(replay, "check_sql", slowly)
    started = time.monotonic()
    with pytest.raises(Refusal) as caught, computed(files, read(files), Limits(512, 0.7)):
        pass
    assert caught.value.code == "replay_limits"
    assert time.monotonic() - started < 30


def test_time_that_runs_out_outside_the_engine_is_noticed(honest) -> None:
    files = honest()
    with pytest.raises(Refusal) as caught, computed(files, read(files), Limits(512, 0)):
        pass
    assert caught.value.code == "replay_limits"
    entries = read_entries(files[build.TABLES_FILE])
    with computed(files, read(files), Limits(512, 2)) as again:
        time.sleep(2.1)
        with pytest.raises(Refusal) as caught:
            again.compare("t1", "2026-10", entries, files)
    assert caught.value.code == "replay_limits"


def test_a_statement_that_fills_the_memory_is_stopped(honest) -> None:
    source = "work.staging.stg_reconciliation_drift"
    doubled = ", ".join(f"a{i} as (select v || v as v from a{i - 1})" for i in range(1, 30))
    bomb = f"with a0 as (select explanation as v from {source}), {doubled} select v from a29"
    files = honest(reconciliation_runs=bomb)
    with pytest.raises(Refusal) as caught, computed(files, read(files), Limits(256, 60)):
        pass
    assert caught.value.code == "replay_limits"


def read(files: Mapping[str, bytes]) -> plan.Plan:
    return plan.read_plan(files[plan.PLAN_FILE])


def test_statements_run_only_in_an_authenticated_packet(forge, honest) -> None:
    files = honest()
    files[RUNS_SQL] = b"select * from read_text('/etc/hostname')"
    assert forge.refusal(files, replay=True) == "digest_mismatch"


def test_other_sql_than_code_sha256_signed(forge, honest) -> None:
    files = honest()
    files[RUNS_SQL] += b"\n"
    assert forge.refusal(forge.seal(files)) == "replay_code"


def edited(files: dict[str, bytes], change) -> dict[str, bytes]:
    from evidence import canonical

    document = json.loads(files[plan.PLAN_FILE])
    change(document)
    return files | {plan.PLAN_FILE: canonical.dumps(document)}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda d: d["tables"].pop("reconciliation_bridge"), id="omits-a-table"),
        pytest.param(lambda d: d.update(format="urn:tieout:replay:v2"), id="format"),
        pytest.param(lambda d: d.update(argv=[]), id="unknown-member"),
        pytest.param(lambda d: d["steps"].append(d["steps"][0]), id="step-twice"),
        pytest.param(lambda d: d["inputs"].append(d["inputs"][0]), id="input-twice"),
        pytest.param(
            lambda d: d["tables"]["reconciliation_bridge"].update(relation="work.x.nobody"),
            id="from-no-step",
        ),
        pytest.param(
            lambda d: d["tables"]["reconciliation_bridge"].update(rows="any"), id="row-rule"
        ),
        pytest.param(lambda d: d["inputs"][0].update(columns={}), id="no-columns"),
        pytest.param(lambda d: d["inputs"][0]["columns"].update(x="BLOB"), id="type"),
        pytest.param(lambda d: d["inputs"][0]["columns"].update({"x/y": "BIGINT"}), id="column"),
        pytest.param(
            lambda d: d["inputs"][0].update(relation='work.staging.x"; drop'), id="relation"
        ),
    ],
)
def test_a_plan_that_is_not_the_formats_signed(forge, honest, change) -> None:
    assert forge.refusal(forge.seal(edited(honest(), change))) == "replay_plan"


def test_a_planned_statement_that_is_absent_signed(forge, honest) -> None:
    files = honest()
    del files[RUNS_SQL]
    assert forge.refusal(forge.seal(files)) == "missing_file"


def test_an_input_that_differs_from_run_json_signed(forge, honest) -> None:
    files = honest()
    name = plan.input_file("work.staging.stg_reconciliation_runs")
    files[name] = files[name].replace(b"120000", b"120001")
    assert forge.refusal(forge.seal(files)) == "replay_inputs"


def test_one_input_file_withheld_signed(forge, honest) -> None:
    files = honest()
    del files[plan.input_file("work.staging.stg_reconciliation_runs")]
    assert forge.refusal(forge.seal(files)) == "replay_inputs"


def test_other_inputs_in_run_json_than_in_the_plan_signed(forge, honest) -> None:
    files = honest()
    run = json.loads(files[build.RUN_FILE])
    run["inputs"].pop("stg_reconciliation_runs")
    from evidence import canonical

    files[build.RUN_FILE] = canonical.dumps(run)
    assert forge.refusal(forge.seal(files)) == "replay_inputs"


def reinput(forge, files: dict[str, bytes], data: bytes) -> dict[str, bytes]:
    """One input replaced, its digest and row count stated honestly, and all of it signed."""
    from evidence import canonical

    run = json.loads(files[build.RUN_FILE])
    run["inputs"]["stg_reconciliation_runs"] = {
        "rows": data.count(b"\n"),
        "sha256": canonical.sha256_hex(data),
    }
    name = plan.input_file("work.staging.stg_reconciliation_runs")
    return forge.seal(files | {name: data, build.RUN_FILE: canonical.dumps(run)})


def test_odd_input_rows_are_refused_before_the_engine_sees_them(forge, honest) -> None:
    files = honest()
    rows = files[plan.input_file("work.staging.stg_reconciliation_runs")]
    first, second = rows.split(b"\n")[:2]
    cases = {
        b"\n".join((second, first, b"")): "table_order",
        rows[:-1]: "table_newline",
        first.replace(b'"currency"', b'"cur"') + b"\n": "table_columns",
        first.replace(b"{", b'{"currency":"usd",') + b"\n": "json_duplicate_key",
        first.replace(b"120000", b"120000.0") + b"\n": "json_float_or_nan",
        first.replace(b"120000", b'"x"') + b"\n": "replay_failed",
    }
    for data, code in cases.items():
        assert forge.refusal(reinput(forge, files, data), replay=True) == code


def test_a_packet_with_digests_alone_says_that_it_cannot_be_replayed(forge, packet_tables) -> None:
    written = plan.without_inputs(replay_of(packet_tables()))
    built = build.build_packet(forge.spec(replay=written), forge.signer)
    said = forge.verify(built.zip_bytes)
    assert any("carries only their digests" in gap for gap in said.not_proven)
    assert forge.refusal(built.zip_bytes, replay=True) == "replay_inputs"


def test_a_packet_without_a_plan_cannot_be_replayed(forge) -> None:
    assert forge.refusal(forge.files(), replay=True) == "replay_plan"


def test_a_builder_refuses_a_plan_for_other_tables(forge, packet_tables, refused) -> None:
    written = replay_of(packet_tables())
    more = packet_tables(extra=[{"id": "a"}])
    spec = replace(forge.spec(tables=more), replay=written)
    assert refused(lambda: build.build_packet(spec, forge.signer)) == "replay_plan"


def test_without_the_engine_the_refusal_names_the_extra(forge, honest, monkeypatch) -> None:
    real = builtins.__import__

    def importing(name, *rest):
        if name == "duckdb":
            raise ImportError(name)
        return real(name, *rest)

    files = honest()
    monkeypatch.setattr(builtins, "__import__", importing)
    with pytest.raises(Refusal) as caught:
        forge.verify(files, replay=True)
    assert caught.value.code == "replay_engine_missing"
    assert "tieout[replay]" in caught.value.remedy
