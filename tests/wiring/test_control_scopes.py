"""A switch that reaches nobody is armed and says so: a misspelt name must not look like safety."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagster_project.cli_controls import _require_control, _warn_of_nobody
from dagster_project.controls import stray_scope
from dagster_project.home import prepare_home
from ingest.controls import ControlLine
from ingest.errors import SettingError
from tests.wiring.office import TENANT, Office


@pytest.mark.parametrize(
    ("tenant", "provider", "word"),
    [
        ("*", None, None),
        (TENANT, None, None),
        (TENANT, "stripe_prod_us", None),
        ("*", "stripe_prod_us", None),
        ("tenant_typo", None, "no tenant 'tenant_typo'"),
        ("tenant_typo", "stripe_prod_us", "no tenant 'tenant_typo'"),
        (TENANT, "stripe_typo", "only stripe_prod_us"),
        ("*", "stripe_typo", "no provider 'stripe_typo'"),
    ],
)
def test_a_scope_that_names_nobody_known_is_told(
    office: Office, tenant: str, provider: str | None, word: str | None
) -> None:
    said = stray_scope(office.session.home, tenant, provider)
    assert said is None if word is None else word in str(said)


def test_before_a_first_run_nobody_is_known_and_nothing_is_told(tmp_path: Path) -> None:
    assert stray_scope(prepare_home(tmp_path / "home"), "tenant_a", "stripe_x") is None


def test_the_warning_reaches_the_terminal_and_a_sound_line_has_none(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = office.operate("kill", True, tenant_id="tenant_typo").lines
    assert isinstance(line, ControlLine)
    assert line.valid
    _warn_of_nobody(office.session.home, line)
    assert "reaches nobody yet" in capsys.readouterr().err
    _warn_of_nobody(office.session.home, office.operate("kill", True).lines[-1])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("payout_cap", 5, "control_unknown"),
        ("max_payout_amount_cents", -1, "control_value_invalid"),
        ("max_payout_amount_cents", True, "control_value_invalid"),
        ("max_payout_amount_cents", 1e3, "control_value_invalid"),
        ("max_payout_amount_cents", 2**53, "control_value_invalid"),
        ("max_payout_amount_cents", "500", "control_value_invalid"),
        ("allowed_provider_ids", "stripe", "control_value_invalid"),
        ("payout_kill_switch", None, "control_value_invalid"),
    ],
)
def test_a_slip_on_the_command_line_is_told_before_a_line_is_signed(
    field: str, value: object, code: str
) -> None:
    with pytest.raises(SettingError) as refused:
        _require_control(field, value)
    assert refused.value.code == code


@pytest.mark.parametrize("value", [None, 0, 500])
def test_null_zero_and_a_number_are_three_values_of_a_cap(value: int | None) -> None:
    _require_control("max_payout_amount_cents", value)
