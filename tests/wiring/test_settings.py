"""Settings come from the environment alone, and a home serves one mode for good."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from dagster_project.__main__ import secret_argument
from dagster_project.home import open_home, read_state, write_state
from dagster_project.settings import Settings
from dagster_project.signing import load_signer, packet_signer
from evidence.keys import KeySigner, create_key
from ingest.errors import SettingError, TieoutError
from ingest.limits import ReadLimits

REAL = {"STRIPE_API_KEY": "sk_test_x", "TIEOUT_KERNEL_EXPORTS": "/exports"}


def settings_for(home: Path, **environ: str) -> Settings:
    return Settings.from_env({"TIEOUT_HOME": str(home), **environ})


def test_nothing_set_is_a_demo_with_payouts_off(tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "home")
    assert (settings.mode, settings.payouts, settings.livemode) == ("demo", "off", False)


def test_a_key_makes_the_mode(tmp_path: Path) -> None:
    assert settings_for(tmp_path, **REAL).mode == "test"
    live = settings_for(tmp_path, **{**REAL, "STRIPE_API_KEY": "rk_live_x"})
    assert (live.mode, live.livemode) == ("live", True)


@pytest.mark.parametrize("given", [{"STRIPE_API_KEY": "sk_test_x"}, {"TIEOUT_KERNEL_EXPORTS": "x"}])
def test_real_rail_and_invented_receipts_never_mix(tmp_path: Path, given: dict[str, str]) -> None:
    with pytest.raises(SettingError, match="without"):
        settings_for(tmp_path, **given)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TIEOUT_PAYOUTS", "yes"),
        ("TIEOUT_PAYOUT_SCHEDULES", "on"),
        ("TIEOUT_PAYOUT_SCHEDULES", "hold"),
        ("TIEOUT_TARGET", "oracle"),
        ("TIEOUT_STRIPE_READS_PER_SECOND", "-1"),
        ("TIEOUT_STRIPE_READS_PER_SECOND", "0"),
        ("TIEOUT_STRIPE_READS_PER_SECOND_OVERALL", "many"),
        ("TIEOUT_STRIPE_READS_PER_MONTH", "1e6"),
        ("TIEOUT_STRIPE_SLICES", "0"),
        ("TIEOUT_STRIPE_ATTEMPTS", "-2"),
        ("TIEOUT_STRIPE_TIMEOUT_SECONDS", "0.5"),
        ("TIEOUT_DECISION_MINUTES", "1.5"),
    ],
)
def test_a_malformed_value_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingError, match=name):
        settings_for(tmp_path, **{name: value})


def test_every_limit_of_reading_is_a_setting(tmp_path: Path) -> None:
    assert settings_for(tmp_path).stripe_limits == ReadLimits()
    given = settings_for(
        tmp_path,
        TIEOUT_STRIPE_READS_PER_SECOND="7",
        TIEOUT_STRIPE_READS_PER_MONTH="90000",
        TIEOUT_STRIPE_SLICES="16",
        TIEOUT_STRIPE_ATTEMPTS="3",
        TIEOUT_STRIPE_TIMEOUT_SECONDS="20",
    )
    assert given.stripe_limits == ReadLimits(7, 28, 90_000, 16, 3, 20)
    overall = settings_for(tmp_path, TIEOUT_STRIPE_READS_PER_SECOND_OVERALL="50")
    assert overall.stripe_limits.overall_per_second == 50


def test_live_payouts_need_a_key_of_their_own_and_of_the_same_mode(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="TIEOUT_PAYOUT_API_KEY"):
        settings_for(tmp_path, **REAL, TIEOUT_PAYOUTS="live")
    with pytest.raises(SettingError, match="different modes"):
        settings_for(tmp_path, **REAL, TIEOUT_PAYOUTS="live", TIEOUT_PAYOUT_API_KEY="rk_live_other")


def test_no_secret_shows_in_what_settings_print(tmp_path: Path) -> None:
    secrets = {
        "STRIPE_API_KEY": "sk_test_hidden1",
        "TIEOUT_PAYOUT_API_KEY": "rk_test_hidden2",
        "TIEOUT_SIGNING_KEY_PASSPHRASE": "hidden3",
        "TIEOUT_STRIPE_WEBHOOK_SECRETS": "whsec_hidden4",
        "TIEOUT_NOTIFY_URLS": "mailto://u:hidden5@example.test",
    }
    assert "hidden" not in repr(settings_for(tmp_path, **{**REAL, **secrets}))


@pytest.mark.parametrize(
    "argument",
    [
        "--api-key=x",
        "--stripe-api-key",
        "--ops-token",
        "--token",
        "sk_live_abc",
        "--out=rk_test_abc",
        "whsec_abc",
        "-----BEGIN PRIVATE KEY-----",
    ],
)
def test_a_secret_on_the_command_line_is_recognised(argument: str) -> None:
    assert secret_argument(["run", argument]) is not None


def test_ordinary_arguments_are_no_secret() -> None:
    assert secret_argument(["run", "--tenant", "tenant_sky", "--as-of", "2026-01-01"]) is None


def test_a_home_is_private_and_bound_to_its_first_mode(tmp_path: Path) -> None:
    home = open_home(settings_for(tmp_path / "home"))
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700
    with pytest.raises(SettingError, match="bound to demo"):
        open_home(settings_for(home.root, **REAL))
    assert open_home(settings_for(home.root)).mode == "demo"


def test_dagster_asks_and_tells_nobody(tmp_path: Path) -> None:
    home = open_home(settings_for(tmp_path / "home"))
    text = (home.dagster / "dagster.yaml").read_text()
    assert text.count("enabled: false") == 3
    assert "nux" in text
    assert "telemetry" in text


def test_a_demo_key_is_refused_by_a_home_that_is_not_a_demo(tmp_path: Path) -> None:
    demo = settings_for(tmp_path / "demo")
    demo_signer = packet_signer(demo, open_home(demo))
    real = settings_for(tmp_path / "real", **REAL)
    seed = b"tieout demo key: packets        "
    assert KeySigner.from_seed(seed).keyid == demo_signer.keyid
    path = tmp_path / "demo.pem"
    write_seed(path, seed)
    with pytest.raises(SettingError, match="demo key"):
        load_signer(path, real)


def test_a_test_home_makes_its_own_key_and_a_live_home_never_does(tmp_path: Path) -> None:
    real = settings_for(tmp_path / "test", **REAL)
    home = open_home(real)
    made = packet_signer(real, home)
    assert packet_signer(real, home).keyid == made.keyid
    assert stat.S_IMODE((home.keys / "packet.pem").stat().st_mode) == 0o600
    live = settings_for(tmp_path / "live", **{**REAL, "STRIPE_API_KEY": "sk_live_x"})
    with pytest.raises(SettingError, match="TIEOUT_SIGNING_KEY_FILE"):
        packet_signer(live, open_home(live))


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    create_key(path)
    path.chmod(0o644)
    with pytest.raises(SettingError, match="0600"):
        load_signer(path, settings_for(tmp_path, **REAL))


def test_a_damaged_state_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "published.json"
    write_state(path, {"a": 1})
    assert read_state(path) == {"a": 1}
    path.write_text("[1]")
    with pytest.raises(TieoutError, match=r"published\.json"):
        read_state(path)


def write_seed(path: Path, seed: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from evidence.keys import write_key

    write_key(path, Ed25519PrivateKey.from_private_bytes(seed))
