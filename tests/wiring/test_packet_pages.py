"""How packets are found: the index beside them, the folder handed over, and Dagster's page."""

from __future__ import annotations

import getpass
import hashlib
import json
import platform
import re
import shutil
import subprocess
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.home import prepare_home
from dagster_project.index_page import write_pages
from dagster_project.shelf import IssuedPacket, issued
from evidence import container
from evidence.viewer import viewer_html
from tests.wiring.conftest import ROOT, Answer, one_paragraph, type_command

FORBIDDEN = (
    rb"\b[sr]k_(?:test|live)_",
    rb"whsec_",
    rb"PRIVATE KEY",
    rb"(?i)bearer ",
    rb"(?i)passphrase|password",
    rb"/(?:tmp|home|root|usr|var|srv|private|Users)/",
    rb"localhost|127\.0\.0\.1",
    rb"\"argv\"|sys\.argv|--[a-z]+-[a-z]+[ =]",
    rb"(?i)python/?3\.",
    rb"(?i)invocation_id",
    rb"[\w.]+@[\w.]+\.[a-z]{2,}",
)


def links(page: Path) -> list[str]:
    return re.findall(r'href="([^"]+)"', page.read_text())


def test_the_index_lists_every_packet_and_its_links_lead_there(demo_home: Path) -> None:
    index = demo_home / "packets" / "index.html"
    packets = issued(prepare_home(demo_home))
    assert {(index.parent / link).resolve() for link in links(index)} == {
        demo_home / "packets" / "viewer.html",
        *(demo_home / packet.path for packet in packets),
    }
    text = index.read_text()
    assert all(packet.packet_sha256 in text for packet in packets)
    assert "from its inputs" in text
    assert "<script" not in text
    assert (index.parent / "viewer.html").read_bytes() == viewer_html()


def test_a_superseded_revision_is_marked_and_names_are_escaped(tmp_path: Path) -> None:
    def packet(revision: int) -> IssuedPacket:
        return IssuedPacket(
            tenant_id="a<b>&c", period="2026-10", revision=revision, packet_sha256="ab" * 32,
            previous_sha256=None, supersedes_sha256=None, verdict="breaks", path="p/x.zip",
            log_index=0, as_of="", content_sha256="", run_id="",
        )  # fmt: skip

    text = write_pages(tmp_path, [packet(1), packet(2)], lambda _: "x.zip").read_text()
    assert text.count("superseded") == 1
    assert "a&lt;b&gt;&amp;c" in text


def test_what_is_handed_over_is_complete_and_the_two_documents_lie_apart(
    demo_home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "h"
    said = type_command(
        demo_home, "packet", "export", "--tenant-id", "tenant_birch", "--out", str(folder), "--json"
    )
    assert said.code == 0, said
    packets = sorted(path.name for path in folder.glob("*.zip"))
    assert len(packets) == len(issued(prepare_home(demo_home), "tenant_birch"))
    assert all(name.startswith("tenant_birch_") for name in packets)
    assert {path.name for path in folder.iterdir()} == {
        *packets, "trust.json", "allowed_signers", "index.html", "viewer.html", "decision",
        *(name for name in ("revoked_keys.krl",) if (folder / name).exists()),
    }  # fmt: skip
    assert set(links(folder / "index.html")) == {*packets, "viewer.html"}
    (decision,) = (folder / "decision").iterdir()
    trust = (folder / "trust.json").read_bytes()
    assert said.json["trust_sha256"] == hashlib.sha256(trust).hexdigest()
    refused = type_command(demo_home, "packet", "export", "--tenant-id", "nobody", "--out", "x")
    assert refused.code == 1
    assert not [name for name in packets if decision.name in name]


@pytest.mark.parametrize("named", ["tenant_*", "", "*", "tenant_birch/../tenant_cobalt", "..", "/"])
def test_a_tenant_is_named_and_never_matched(demo_home: Path, tmp_path: Path, named: str) -> None:
    out = tmp_path / "h"
    refused = type_command(demo_home, "packet", "export", "--tenant-id", named, "--out", str(out))
    assert refused.code == 1
    one_paragraph(refused, "packet_unknown")
    assert not out.exists()
    assert issued(prepare_home(demo_home), named) == []


def test_two_tenants_are_not_handed_over_in_one_folder(demo_home: Path, tmp_path: Path) -> None:
    def export(tenant: str) -> Answer:
        asked = ("packet", "export", "--tenant-id", tenant, "--out", str(tmp_path))
        return type_command(demo_home, *asked)

    assert export("tenant_birch").code == 0
    before = sorted(path.name for path in tmp_path.iterdir())
    refused = export("tenant_cobalt")
    assert refused.code == 2
    one_paragraph(refused, "out_folder_foreign", "tenant_birch_2026-08")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert export("tenant_birch").code == 0, "the same tenant's again, as after a new revision"


def test_show_verifies_and_replays(demo_home: Path) -> None:
    packet = issued(prepare_home(demo_home), "tenant_cobalt")[0]
    chosen = ("--tenant-id", packet.tenant_id, "--period", packet.period)
    said = type_command(demo_home, "packet", "show", *chosen, "--replay", "--json")
    assert said.code == 0, said
    assert any(check.startswith("replay: ") for check in said.json["checks"])
    assert said.json["carries_inputs"] is True
    assert re.fullmatch("[0-9a-f]{64}", said.json["code_sha256"])


def test_dagster_names_file_digest_and_index(demo_home: Path) -> None:
    packets = {p.packet_sha256: p for p in issued(prepare_home(demo_home))}
    with dg.DagsterInstance.from_config(str(demo_home / "dagster")) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["packets", "run_packet"]))
        step = instance.get_latest_materialization_event(dg.AssetKey(["packets", "issued"]))
    assert event is not None
    assert step is not None
    told = {n: v.value for n, v in event.asset_materialization.metadata.items()}
    packet = packets[told["packet_sha256"]]
    assert told["download"] == (demo_home / packet.path).as_uri()
    assert told["carries_inputs"] is True
    index = step.asset_materialization.metadata["index"].value
    assert index == (demo_home / "packets" / "index.html").as_uri()
    assert json.dumps(told, default=str)


def test_the_viewer_is_handed_out(demo_home: Path, tmp_path: Path) -> None:
    said = type_command(demo_home, "packet", "viewer", "--out", str(tmp_path / "v.html"))
    assert said.code == 0, said
    assert (tmp_path / "v.html").read_bytes() == viewer_html()


def test_the_two_lines_of_the_readme_verify_a_packet_and_refuse_a_changed_one(
    demo_home: Path, tmp_path: Path
) -> None:
    for tool in ("ssh-keygen", "sha256sum", "unzip"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} on this machine")
    text = (ROOT / "README.md").read_text()
    (lines,) = re.findall(r"```sh\n(unzip packet\.zip.*?)```", text, re.DOTALL)
    assert len(lines.splitlines()) == 2
    shutil.copy(demo_home / "trust" / "allowed_signers", tmp_path)
    source = sorted((demo_home / "packets").glob("tenant_birch/*/*.zip"))[0]

    def typed(script: str) -> subprocess.CompletedProcess[str]:
        shutil.rmtree(tmp_path / "p", ignore_errors=True)
        shutil.copy(source, tmp_path / "packet.zip")
        return subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    good = typed(lines)
    assert 'Good "tieout-run-packet-v1" signature for packets@tieout' in good.stdout, good
    assert good.stdout.endswith("FILES-OK\n")
    first, second = lines.splitlines()
    changed = typed(f"{first}\necho >> tables/tie_outs.ndjson\n{second}")
    assert "FILES-OK" not in changed.stdout
    forged = first.replace(
        "&& ssh-keygen", "&& sed -i s/breaks/breakz/ statement.json && ssh-keygen"
    )
    assert "Good" not in typed(forged).stdout


def test_no_packet_holds_a_key_a_token_a_path_a_host_or_an_argument_vector(demo_home: Path) -> None:
    """What tells of the machine or of who ran it; times are those that the data itself bears."""
    forbidden = [re.compile(pattern) for pattern in FORBIDDEN]
    # Names short enough to occur by chance tell nothing.
    names = {name for name in (platform.node(), getpass.getuser()) if len(name) > 5}
    packets = issued(prepare_home(demo_home))
    assert packets
    for packet in packets:
        files = container.read_zip((demo_home / packet.path).read_bytes())
        for name, data in files.items():
            found = [pattern.pattern for pattern in forbidden if pattern.search(data)]
            assert found == [], f"{found} in {name}"
            assert str(demo_home).encode() not in data
            assert packet.run_id.encode() not in data, f"the run's id in {name}"
            assert not [word for word in names if word.encode() in data]
