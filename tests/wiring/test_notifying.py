"""Operators are told of breaches, holds, switches and failed runs: once, and without a secret."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from dagster_project.home import Home, prepare_home, write_state
from dagster_project.jobs import tell_of_failure
from dagster_project.notifying import tell_failure, tell_run
from dagster_project.resources import Wiring
from dagster_project.runs import Run
from dagster_project.settings import Settings
from ingest.errors import SettingError, TieoutError
from tests.wiring.conftest import type_command
from tests.wiring.receiver import Receiver, receiving

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
RUN = Run("20261126T120000Z-aaaaaa", NOW, NOW, NOW)
SECRET = "T0-hushhush-B0"
# A port that nothing listens on.
DEAF = f"json://127.0.0.1:9/{SECRET}?cto=1&rto=1"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(SECRET) as receiver:
        yield receiver


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = prepare_home(tmp_path / "home")
    publish(home)
    return home


def publish(
    home: Home, *, breached: bool = True, held: str = "OPEN_BREAK", switch: str = ""
) -> None:
    """A published file with one tenant's day, a payout that waits and one that was paid."""
    path = home.published / "tieout-1.duckdb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    home.current.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as db:
        db.execute(
            "create table daily_mismatches as select 't_1' as tenant_id, day, 'USD' as currency, "
            "3 as mismatch_count, 123450 as gross_drift_cents, ? as breached, ? as "
            "breached_by_count, false as breached_by_money "
            "from (values ('2026-11-26'), ('2026-11-25')) as days (day)",
            [breached, breached],
        )
        db.execute(
            "create table payout_gates as select * from (values "
            "('t_1', 'k_1', 'hold', 'OPEN_BREAK', ?, 5000, 'USD', 'pty_of_a_person'), "
            "('t_1', 'k_0', 'hold', 'ALREADY_PAID', 'OPEN_BREAK,ALREADY_PAID', 7, 'USD', 'p'), "
            "('t_1', 'k_2', 'release', null, null, 9, 'USD', 'p')) as gates (tenant_id, "
            "payout_key, decision, first_code, held_codes, gross_cents, currency, party_id)",
            [held],
        )
        db.execute(
            "create table payout_gate_conditions as select 't_1' as tenant_id, "
            "'k_1' as payout_key, ? as condition_code, true as holds",
            [switch or "OPEN_BREAK"],
        )
    home.current.symlink_to(path.name)


def settings_of(home: Home, *addresses: str) -> Settings:
    return Settings(home=home.root, notify_urls=addresses)


def test_news_is_told_once_for_as_long_as_it_lasts(home: Home, receiver: Receiver) -> None:
    settings = settings_of(home, receiver.address)
    said: list[str] = []

    def tell() -> dict[str, int]:
        return tell_run(settings, home, RUN, lambda *words: said.append(" ".join(words)))

    assert tell() == {"news": 2, "not_taken": 0}
    assert receiver.lines == [
        "t_1: daily threshold of 2026-11-26 reached by count: 3 new, 1,234.50 USD",
        "t_1: 1 payout held, 50.00 USD, OPEN_BREAK",
    ]
    assert tell() == {"news": 0, "not_taken": 0}
    publish(home, held="OPEN_BREAK,PAYOUT_KILL_SWITCH_ACTIVE", switch="PAYOUT_KILL_SWITCH_ACTIVE")
    assert tell()["news"] == 2
    assert "t_1: PAYOUT_KILL_SWITCH_ACTIVE holds every payout" in receiver.lines[2:]
    publish(home, breached=False)
    assert tell()["news"] == 1, "held for another reason than before"
    publish(home)
    assert tell()["news"] == 1, "a breach that went and came back is news again"
    assert len(receiver.notices) == 4
    assert said == []
    assert "pty_of_a_person" not in str(receiver.notices)


def test_what_nobody_took_is_said_without_its_address_and_told_by_the_next_run(
    home: Home, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    said: list[str] = []

    def tell(*addresses: str) -> dict[str, int]:
        settings = settings_of(home, *addresses)
        assert SECRET not in repr(settings)
        return tell_run(settings, home, RUN, lambda *words: said.append(" ".join(words)))

    with caplog.at_level(logging.DEBUG):
        assert tell(DEAF, "nosuch://" + SECRET) == {"news": 2, "not_taken": 2}
        assert said == ["notify address 1, 2 of TIEOUT_NOTIFY_URLS did not take the notice"]
        assert tell(DEAF, receiver.address) == {"news": 2, "not_taken": 1}
    assert len(receiver.notices) == 1
    assert tell(DEAF, receiver.address)["news"] == 0, "one of them took it"
    kept = "".join(path.read_text() for path in home.state.glob("*.json"))
    for text in (*said, caplog.text, kept):
        assert SECRET not in text


def test_without_addresses_nothing_is_read_or_kept(home: Home) -> None:
    assert tell_run(settings_of(home), home, RUN, pytest.fail) == {}
    assert not (home.state / "notified.json").exists()


def test_an_unreadable_publication_fails_nothing(home: Home, receiver: Receiver) -> None:
    (home.published / "tieout-1.duckdb").write_bytes(b"torn")
    said: list[str] = []
    settings = settings_of(home, receiver.address)
    assert tell_run(settings, home, RUN, lambda *words: said.append(" ".join(words))) == {}
    assert "nobody was told" in said[0]


def failed(code: str) -> TieoutError:
    return TieoutError(got="a thing of /srv/secret", expected="b", remedy="c", code=code)


def test_a_failed_run_is_told_by_its_code_and_once_a_cause(home: Home, receiver: Receiver) -> None:
    settings = settings_of(home, receiver.address)
    for error in (failed("rail_away"), failed("rail_away"), failed("disk_full"), KeyError("x")):
        tell_failure(settings, error, lambda *_: None)
    told = [line.split(".")[0] for line in receiver.lines]
    assert told == [f"a run failed: {cause}" for cause in ("rail_away", "disk_full", "KeyError")]
    tell_run(settings, home, RUN, lambda *_: None)
    tell_failure(settings, failed("rail_away"), lambda *_: None)
    assert receiver.lines[-1].startswith("a run failed: rail_away"), "a run succeeded since"
    assert "/srv/secret" not in str(receiver.notices)


@pytest.mark.parametrize("attended", [False, True])
def test_a_step_that_fails_in_the_ui_is_told_and_one_of_a_command_by_that_command(
    home: Home, receiver: Receiver, attended: bool
) -> None:
    environ = {"TIEOUT_HOME": str(home.root), "TIEOUT_NOTIFY_URLS": receiver.address}
    wiring = Wiring(environ=environ)
    wiring.is_attended = attended

    @dg.op
    def fails() -> None:
        raise failed("rail_away")

    @dg.job(
        hooks={tell_of_failure},
        resource_defs={"wiring": dg.ResourceDefinition.hardcoded_resource(wiring)},
    )
    def job() -> None:
        fails()

    assert not job.execute_in_process(raise_on_error=False).success
    assert [line.split(".")[0] for line in receiver.lines] == (
        [] if attended else ["a run failed: rail_away"]
    )


def test_a_command_tells_of_its_failed_run_and_ends_as_before(
    tmp_path: Path, receiver: Receiver
) -> None:
    environ = {
        "STRIPE_API_KEY": "rk_test_x",
        "STRIPE_API_BASE": "http://127.0.0.1:9",
        "TIEOUT_KERNEL_EXPORTS": str(tmp_path / "none"),
    }
    # Homes of real money, which a test key may not read.
    for name in ("quiet", "told", "deaf"):
        write_state(prepare_home(tmp_path / name).state / "home.json", {"mode": "live"})
    answers = [
        type_command(tmp_path / name, "run", **environ, **notify)
        for name, notify in (
            ("quiet", {}),
            ("told", {"TIEOUT_NOTIFY_URLS": receiver.address}),
            ("deaf", {"TIEOUT_NOTIFY_URLS": DEAF}),
        )
    ]
    assert {answer.code for answer in answers} == {answers[0].code}
    assert answers[0].code != 0
    assert len(receiver.notices) == 1
    assert receiver.lines[0].startswith("a run failed: ")
    assert "address 1 of TIEOUT_NOTIFY_URLS did not take the notice" in answers[2].err
    assert all(SECRET not in answer.out + answer.err for answer in answers)


def test_an_armed_switch_is_told_at_once_and_stays_armed_if_nobody_listens(
    demo_home: Path, tmp_path: Path, receiver: Receiver
) -> None:
    home = tmp_path / "home"
    # What the command reads; the demo's home is shared.
    for name in ("state", "trust", "keys"):
        (home / name).mkdir(parents=True)
        for path in (demo_home / name).glob("*"):
            if path.is_file():
                (home / name / path.name).write_bytes(path.read_bytes())
    kill = ("controls", "kill", "--tenant-id", "tenant_birch", "--reason", "partner asked")
    assert type_command(home, *kill, TIEOUT_NOTIFY_URLS=receiver.address).code == 0
    assert receiver.lines == [
        "tenant_birch: the payout kill switch was armed by demo-operator-1; no further payout is "
        "made."
    ]
    deaf = type_command(home, *kill, TIEOUT_NOTIFY_URLS=DEAF)
    assert deaf.code == 0
    assert "1 of 1 addresses took no notice; the switch is armed" in deaf.err
    assert SECRET not in deaf.out + deaf.err


@pytest.mark.parametrize("text", [SECRET, f"https//{SECRET}", ",".join(["json://h/x"] * 21)])
def test_what_is_no_address_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(SettingError) as refusal:
        Settings.from_env({"TIEOUT_NOTIFY_URLS": text})
    assert SECRET not in str(refusal.value)


def test_addresses_may_hold_commas() -> None:
    given = "mailto://u:p@h?to=a@h,b@h, slack://x/y/z,json://h"
    found = Settings.from_env({"TIEOUT_NOTIFY_URLS": given}).notify_urls
    assert found == ("mailto://u:p@h?to=a@h,b@h", "slack://x/y/z", "json://h")
