"""`tieout keys` on a home of one's own: rotation, retirement, root, witnesses, key services."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dagster_project import trusting
from dagster_project.home import open_home
from dagster_project.settings import Settings
from dagster_project.signing import packet_log, packet_signer
from evidence import notes
from evidence.keys import KeySigner, create_key
from evidence.log import PacketLog
from evidence.trust import load_trust
from ingest.errors import SettingError
from tests.wiring.conftest import type_command

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MAX_KMS_BYTES = 4096


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Variables of a test home with a signing key, as `tieout run` would find them."""
    create_key(tmp_path / "one.pem")
    return {
        "TIEOUT_HOME": str(tmp_path / "home"),
        "STRIPE_API_KEY": "sk_test_" + "0" * 8,
        "TIEOUT_KERNEL_EXPORTS": str(tmp_path),
        "TIEOUT_SIGNING_KEY_FILE": str(tmp_path / "one.pem"),
    }


def trusted(environ: dict[str, str]) -> trusting.TrustFile:
    settings = Settings.from_env(environ)
    return trusting.trust_file(settings, open_home(settings), now=NOW)


def typed(environ: dict[str, str], *words: str):
    return type_command(Path(environ["TIEOUT_HOME"]), "keys", *words, "--json", **environ)


def test_rotation_retirement_and_the_root_over_one_home(environ, tmp_path: Path) -> None:
    first = trusted(environ).keys[0]
    root = tmp_path / "root.pem"
    create_key(root)
    signed = typed(environ, "trust", "--root-key-file", str(root))
    assert signed.json["version"] == 2
    two = tmp_path / "two.pem"
    refused = typed(environ, "rotate", str(two))
    assert (refused.code, two.exists()) == (2, False), "a root-signed file needs its root"
    rotated = typed(environ, "rotate", str(two), "--root-key-file", str(root))
    assert [key["status"] for key in rotated.json["keys"]] == ["active", "active"]
    environ["TIEOUT_SIGNING_KEY_FILE"] = str(two)
    assert trusted(environ).version == 3
    retired = typed(
        environ, "retire", first.keyid[:16], "--compromised", "--root-key-file", str(root)
    )
    assert retired.json["keys"][0]["status"] == "compromised"
    folder = tmp_path / "home" / "trust"
    public = (folder / "root.pem").read_text()
    from evidence.keys import public_key_from_pem

    trust = load_trust(folder / "trust.json", [public_key_from_pem(public)], 4)
    assert (folder / "revoked_keys.krl").read_bytes() == trust.revoked_keys()
    environ["TIEOUT_SIGNING_KEY_FILE"] = str(tmp_path / "one.pem")
    with pytest.raises(SettingError, match="compromised"):
        trusted(environ)


def test_an_older_trust_file_put_back_stops_signing(environ, tmp_path: Path) -> None:
    trusted(environ)
    path = tmp_path / "home" / "trust" / "trust.json"
    old = path.read_bytes()
    create_key(tmp_path / "two.pem")
    environ["TIEOUT_SIGNING_KEY_FILE"] = str(tmp_path / "two.pem")
    assert trusted(environ).version == 2
    path.write_bytes(old)
    with pytest.raises(SettingError) as caught:
        trusted(environ)
    assert caught.value.code == "trust_version"


def test_a_demo_home_keeps_its_keys(tmp_path: Path) -> None:
    said = type_command(tmp_path / "home", "keys", "rotate", str(tmp_path / "two.pem"))
    assert said.code == 2
    assert "demo" in said.err


def test_a_partner_is_named_cosigns_and_every_packets_proof_is_renewed(
    environ, tmp_path: Path
) -> None:
    from evidence import witness
    from tests.wiring.test_shelf import put_one

    trusted(environ)
    settings = Settings.from_env(environ)
    home = open_home(settings)
    own = packet_log(settings, home)
    packet = put_one(home.root, own)
    key, line, asked = (tmp_path / name for name in ("w.pem", "line", "request"))
    partner = notes.make_key("p.example", notes.WITNESS_ALGORITHM, create_key(key).public_key)
    named = typed(environ, "trust", "--witness", str(partner), "--quorum", "1")
    assert named.json["quorum"] == 1
    out = type_command(home.root, "packet", "checkpoint", "--out", str(asked), **environ)
    assert out.code == 0, out
    answered = witness.main(
        ["cosign", "--name", "p.example", "--key-file", str(key), "--log", str(own.key),
         "--memory", str(tmp_path / "seen"), "--out", str(line), str(asked)]
    )  # fmt: skip
    assert answered == 0
    taken = type_command(home.root, "packet", "cosign", str(line), "--json", **environ)
    assert taken.json == {"witness": "p.example", "size": 1, "renewed": 1}
    again = type_command(home.root, "packet", "cosign", str(line), "--json", **environ)
    assert again.json["renewed"] == 0
    assert b"p.example" in (home.root / packet.path).read_bytes()
    stranger = type_command(home.root, "packet", "cosign", str(asked), "--json", **environ)
    assert stranger.code == 1
    assert "witness_unknown" in stranger.err + stranger.out


def test_the_signing_key_may_come_from_the_environment_encrypted(environ, tmp_path: Path) -> None:
    create_key(tmp_path / "locked.pem", b"correct horse")
    del environ["TIEOUT_SIGNING_KEY_FILE"]
    environ["TIEOUT_SIGNING_KEY"] = (tmp_path / "locked.pem").read_text()
    environ["TIEOUT_SIGNING_KEY_PASSPHRASE"] = "correct horse"
    settings = Settings.from_env(environ)
    signer = packet_signer(settings, open_home(settings))
    assert signer.keyid
    assert "PRIVATE" not in repr(settings)
    assert "correct horse" not in repr(settings)
    environ["TIEOUT_SIGNING_KEY_PASSPHRASE"] = "wrong"
    settings = Settings.from_env(environ)
    with pytest.raises(SettingError) as caught:
        packet_signer(settings, open_home(settings))
    assert caught.value.code == "key_file_passphrase"
    assert "wrong" not in str(caught.value)


class KeyService:
    """A key that never leaves its service, which signs up to 4,096 raw bytes a call."""

    def __init__(self) -> None:
        self._inside = KeySigner.from_seed(b"a key inside the service........")
        self.calls = 0

    @property
    def keyid(self) -> str:
        return self._inside.keyid

    @property
    def public_key(self) -> bytes:
        return self._inside.public_key

    def sign(self, message: bytes) -> bytes:
        assert len(message) <= MAX_KMS_BYTES
        self.calls += 1
        return self._inside.sign(message)


def key_service() -> KeyService:
    return KeyService()


class Prehashed(KeyService):
    """A service asked for the wrong variant of the algorithm."""

    def sign(self, message: bytes) -> bytes:
        import hashlib

        return super().sign(hashlib.sha512(message).digest())


def prehashed_service() -> Prehashed:
    return Prehashed()


def test_a_key_service_signs_packets_behind_the_same_protocol(environ, tmp_path: Path) -> None:
    from tests.wiring import test_shelf

    environ["TIEOUT_SIGNER"] = "tests.wiring.test_keys:key_service"
    settings = Settings.from_env(environ)
    home = open_home(settings)
    signer = packet_signer(settings, home)
    trust = trusting.trust_file(settings, home, now=NOW)
    assert [key.keyid for key in trust.keys] == [signer.keyid]
    from evidence.verify import verify_packet

    packet = test_shelf.built(signer)
    verify_packet(packet.zip_bytes, trust, "t1", "2026-10")
    log = PacketLog(tmp_path / "log", "log.example", signer)
    assert log.append(packet.statement) == 0


@pytest.mark.parametrize("name", ["prehashed_service", "nothing_like_it", "NOW"])
def test_a_key_service_that_does_not_sign_as_it_claims(environ, name: str) -> None:
    environ["TIEOUT_SIGNER"] = f"tests.wiring.test_keys:{name}"
    settings = Settings.from_env(environ)
    with pytest.raises(SettingError) as caught:
        packet_signer(settings, open_home(settings))
    assert caught.value.code == "signer_unusable"


def test_windows_are_told_in_utc(environ) -> None:
    trust = trusted(environ)
    start = datetime.fromtimestamp(trust.keys[0].valid_from, UTC)
    end = datetime.fromtimestamp(trust.keys[0].valid_until, UTC)
    assert (start, end - start) == (datetime(2026, 11, 22, tzinfo=UTC), timedelta(days=730))
    assert json.loads(typed(environ, "trust").out)["keys"][0]["status"] == "active"
