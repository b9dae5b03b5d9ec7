"""The command line: exit codes, one-paragraph errors, secrets refused, bad sources named."""

from __future__ import annotations

import shutil
import socket
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest

from dagster_project.narration import money
from dagster_project.pipeline import require_known
from dagster_project.runs import Run
from dagster_project.session import Session
from dagster_project.settings import Settings
from ingest.errors import SettingError
from ingest.folding import fold_landing
from ingest.landing import Landing
from ingest.tables import PACKETS, PINNED_BATCHES, RUN_LOG
from tests.wiring.conftest import one_paragraph, type_command


def test_a_secret_argument_is_refused_and_never_repeated(tmp_path: Path) -> None:
    answer = type_command(tmp_path / "home", "run", "--api-key", "sk_live_verysecret")
    assert answer.code == 2
    one_paragraph(answer, "STRIPE_API_KEY")
    assert "verysecret" not in answer.out + answer.err


def test_an_unknown_command_is_misuse(tmp_path: Path) -> None:
    assert type_command(tmp_path / "home", "frobnicate").code == 2


def test_reading_without_a_home_says_how_to_get_one(tmp_path: Path) -> None:
    answer = type_command(tmp_path / "home", "status")
    assert answer.code == 2
    one_paragraph(answer, "tieout demo")


def test_contradicting_settings_are_misuse(tmp_path: Path) -> None:
    answer = type_command(tmp_path / "home", "run", STRIPE_API_KEY="sk_test_x")
    assert answer.code == 2
    one_paragraph(answer, "TIEOUT_KERNEL_EXPORTS")


def test_an_as_of_in_the_future_is_misuse(tmp_path: Path) -> None:
    answer = type_command(tmp_path / "home", "run", "--as-of", "tomorrow")
    assert answer.code == 2
    one_paragraph(answer, "--as-of")


def test_a_time_before_anything_was_received_is_misuse_and_the_first_one_is_named(
    demo_home: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(demo_home, home, symlinks=True)
    batches = [batch for batch in Landing(home).committed() if batch.table != PINNED_BATCHES.table]
    first = min(batch.received_at for batch in batches)
    warehouse = (home / "warehouse/warehouse.duckdb").stat().st_mtime_ns
    answer = type_command(home, "run", "--as-of", (first - timedelta(seconds=1)).isoformat())
    assert answer.code == 2, answer
    one_paragraph(answer, "as_of_before_landing", f"from {first.isoformat()} on")
    assert (home / "warehouse/warehouse.duckdb").stat().st_mtime_ns == warehouse
    after = [batch for batch in Landing(home).committed() if batch.table != PINNED_BATCHES.table]
    assert after == batches, "nothing is pulled for an answer that cannot be given"


def test_an_earlier_time_in_a_home_that_received_nothing_is_misuse(
    tmp_path: Path, parsed_home: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(parsed_home, home)
    answer = type_command(home, "run", "--as-of", "2026-01-01")
    assert answer.code == 2, answer
    one_paragraph(answer, "as_of_before_landing", "without --as-of first")
    assert Landing(home).committed() == []


def test_the_first_time_that_something_was_received_may_be_asked_for(tmp_path: Path) -> None:
    session = Session.open(Settings(home=tmp_path / "home", mode="test"))
    at = datetime(2026, 4, 1, 12, tzinfo=UTC)
    session.landing.write(RUN_LOG, [{"as_of": at}], batch_id="one", received_at=at)
    # A pin is this home's own list and nothing that it received.
    session.landing.pin(run_id="early", known_at=at)
    for known_at in (at, at + timedelta(days=1)):
        require_known(session, Run("r", known_at, known_at, at + timedelta(days=9)))
    early = at - timedelta(microseconds=1)
    with pytest.raises(SettingError) as refused:
        require_known(session, Run("r", early, early, at))
    assert refused.value.code == "as_of_before_landing"


def test_a_new_key_is_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "packets.pem"
    made = type_command(tmp_path / "home", "keys", "new", str(path), "--json")
    assert made.code == 0, made
    assert path.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in made.out
    again = type_command(tmp_path / "home", "keys", "new", str(path))
    assert again.code == 1, again


def test_the_doctor_answers_without_a_home(tmp_path: Path) -> None:
    answer = type_command(tmp_path / "home", "doctor", "--json")
    assert answer.code == 0, answer
    assert not (tmp_path / "home").exists(), "a look must change nothing"


def test_the_doctor_counts_batches_and_folds_and_names_a_damaged_batch(
    tmp_path: Path, parsed_home: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(parsed_home, home)
    at = datetime(2026, 4, 1, tzinfo=UTC)
    for name, spec in product(("one", "two"), (RUN_LOG, PACKETS)):
        Landing(home).write(spec, [{"as_of": at}], batch_id=name, received_at=at)
    fold_landing(home, now=at, least=2)
    (home / "landing/tieout/packets/one.parquet").unlink()
    answer = type_command(home, "doctor", "--json")
    assert answer.code == 1, answer
    (found,) = [finding for finding in answer.json["findings"] if finding["what"] == "landing"]
    assert not found["ok"]
    assert found["found"] == (
        "4 batches, 2 of them in 1 folds, 2 unfolded; "
        "void folds: 1, a batch in each changed; the next run removes them; "
        "damaged batches: 1, first no file at landing/tieout/packets/one.parquet"
    )


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    folder = tmp_path / "exports" / "tenant_a"
    folder.mkdir(parents=True)
    (folder / "settlement_receipts.jsonl").write_text("")
    return folder.parent


def test_an_unreachable_rail_is_one_paragraph(
    tmp_path: Path, exports: Path, parsed_home: Path
) -> None:
    shutil.copytree(parsed_home, tmp_path / "home")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    answer = type_command(
        tmp_path / "home",
        "run",
        STRIPE_API_KEY="sk_test_x1234567",
        STRIPE_API_BASE=f"http://127.0.0.1:{port}",
        TIEOUT_KERNEL_EXPORTS=str(exports),
        # Each list waits between its attempts.
        TIEOUT_STRIPE_ATTEMPTS="2",
    )
    assert answer.code == 1, answer
    one_paragraph(answer, "127.0.0.1", "stripe_unreachable")


@pytest.mark.parametrize(
    ("minor", "currency", "said"),
    [
        (-123_450, "USD", "-1,234.50 USD"),
        (500, "JPY", "500 JPY"),
        (12_340, "KWD", "12.340 KWD"),
        # Whole in life, with two decimals in the rail's API.
        (50_000, "UGX", "500.00 UGX"),
        (7, "XQX", "7 minor XQX"),
        (None, "USD", ""),
    ],
)
def test_money_is_told_with_the_decimals_of_its_currency(
    minor: int | None, currency: str, said: str
) -> None:
    assert money(minor, currency) == said
