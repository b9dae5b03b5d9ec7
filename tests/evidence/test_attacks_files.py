"""Attacks on the set of files, the sums, the subjects and the container."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib

import pytest

from evidence import build, canonical, container
from evidence.sums import read_sums, write_sums
from evidence.tables import scan_table

EXTRA = "tables/extra.ndjson"
LINE = b'{"id":"a"}\n'


def subject(name: str, **digests: str) -> dict[str, object]:
    return {"digest": digests or {"sha256": "0" * 64}, "name": name}


def test_attack_37_extra_file(forge) -> None:
    assert forge.refusal(forge.files() | {"note.txt": b"hello"}) == "extra_file"


def test_attack_38_extra_table_file_not_listed(forge) -> None:
    assert forge.refusal(forge.files() | {EXTRA: LINE}) == "extra_file"


@pytest.mark.parametrize(
    "name", ["run.json", "tables/reconciliation_drift.ndjson", "evidence/chargebacks.json"]
)
def test_attack_39_missing_file(forge, name) -> None:
    files = forge.files()
    del files[name]
    assert forge.refusal(files) == "missing_file"


def test_attack_81_subject_with_a_weak_second_digest(forge) -> None:
    def weaken(document) -> None:
        document["subject"][0]["digest"]["md5"] = "0" * 32

    assert forge.refusal(forge.seal(forge.files(), weaken)) == "subject"


def test_attack_82_subject_listed_twice(forge) -> None:
    def repeat(document) -> None:
        document["subject"].append(document["subject"][0])

    assert forge.refusal(forge.seal(forge.files(), repeat)) == "subject"


@pytest.mark.parametrize("name", build.SUBJECTS)
def test_attack_83_a_named_file_not_among_the_subjects(forge, name) -> None:
    def drop(document) -> None:
        document["subject"] = [s for s in document["subject"] if s["name"] != name]

    assert forge.refusal(forge.seal(forge.files(), drop)) == "subject"


def test_attack_84_subject_names_an_absent_file(forge) -> None:
    def invent(document) -> None:
        document["subject"].append(subject("zz.json"))

    assert forge.refusal(forge.seal(forge.files(), invent)) == "missing_file"


def test_subject_names_a_sixth_file_that_is_there(forge) -> None:
    name = "tables/reconciliation_drift.ndjson"

    def add(document) -> None:
        digest = canonical.sha256_hex(forge.files()[name])
        document["subject"].append(subject(name, sha256=digest))

    assert forge.refusal(forge.seal(forge.files(), add)) == "subject"


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.reverse(),
        lambda s: s[0].update(note="x"),
        lambda s: s[0].pop("name"),
        lambda s: s[0].update(name=7),
        lambda s: s[0].update(digest={"sha256": "F" * 64}),
        lambda s: s[0].update(digest=[]),
        lambda s: s.append("sha256sums"),
    ],
)
def test_subjects_are_an_ordered_allow_list(forge, change) -> None:
    assert forge.refusal(forge.seal(forge.files(), lambda d: change(d["subject"]))) == "subject"


def test_subject_is_not_a_list(forge) -> None:
    assert forge.refusal(forge.seal(forge.files(), lambda d: d.update(subject={}))) == "subject"


def test_attack_85_undeclared_table_signed(forge) -> None:
    assert forge.refusal(forge.seal(forge.files() | {EXTRA: LINE})) == "extra_file"


@pytest.mark.parametrize("name", ["notes/readme.txt", "inputs/x.ndjson", "replay/other.json"])
def test_files_that_the_format_does_not_know_even_signed(forge, name) -> None:
    assert forge.refusal(forge.seal(forge.files() | {name: b"{}"})) == "extra_file"


def test_a_declared_table_that_the_sums_do_not_list(forge) -> None:
    files = forge.with_table("extra", LINE)
    listed = {n: d for n, d in files.items() if n != EXTRA and n not in build.FIXED_FILES}
    forged = forge.seal(files, sums_file=write_sums(listed))
    assert forge.refusal(forged) == "extra_file"


def test_attack_86_sums_not_sorted(forge) -> None:
    files = forge.files()
    lines = files[build.SUMS_FILE].splitlines(keepends=True)
    forged = forge.seal(files, sums_file=b"".join(reversed(lines)))
    assert forge.refusal(forged) == "sums_format"


def test_attack_87_sums_with_a_traversal_name(forge) -> None:
    line = b"0" * 64 + b"  ../etc/passwd\n"
    forged = forge.seal(forge.files(), sums_file=line + forge.files()[build.SUMS_FILE])
    assert forge.refusal(forged) == "sums_format"


@pytest.mark.parametrize(
    "text",
    [
        b"0" * 64 + b" a\n",
        b"0" * 64 + b" *a\n",
        b"F" * 64 + b"  a\n",
        b"0" * 64 + b"  a",
        b"0" * 64 + b"  a\r\n",
        b"0" * 64 + b"  \xc3\xa9\n",
        b"\n",
        b"0" * 64 + b"  a\n" + b"0" * 64 + b"  a\n",
        b"0" * 64 + b"  A\n",
    ],
)
def test_sums_have_one_spelling(refused, text) -> None:
    assert refused(lambda: read_sums(text)) == "sums_format"


def test_gap_non_ascii_byte_in_the_sums(forge) -> None:
    forged = forge.seal(forge.files(), sums_file=b"\xff" + forge.files()[build.SUMS_FILE])
    assert forge.refusal(forged) == "sums_format"


def test_sums_list_a_file_that_is_absent_or_that_they_must_not_cover(forge) -> None:
    files = forge.files()
    body = {n: d for n, d in files.items() if n not in build.FIXED_FILES}
    forged = forge.seal(files, sums_file=write_sums(body | {"zz.json": b""}))
    assert forge.refusal(forged) == "missing_file"
    listed = write_sums(body | {build.TIMESTAMP_FILE: b""})
    forged = forge.seal(files, sums_file=listed) | {build.TIMESTAMP_FILE: b""}
    assert forge.refusal(forged) == "sums_format"


def test_gap_tables_json_or_a_declared_table_absent_with_consistent_digests(forge) -> None:
    files = forge.files()
    del files["tables/reconciliation_drift.ndjson"]
    assert forge.refusal(forge.seal(files)) == "missing_file"
    files = forge.with_table("extra", LINE)
    del files[EXTRA]
    assert forge.refusal(forge.seal(files)) == "missing_file"


def test_a_required_table_is_not_declared(forge, refused) -> None:
    files = forge.edited(build.TABLES_FILE, lambda d: d.pop("reconciliation_drift"))
    del files["tables/reconciliation_drift.ndjson"]
    assert forge.refusal(forge.seal(files)) == "table_required"
    spec = forge.spec(tables={})
    assert refused(lambda: build.build_packet(spec, forge.signer)) == "table_required"


def test_more_tables_than_a_packet_holds(forge, packet_tables, refused) -> None:
    spec = forge.spec(tables=packet_tables(**{f"further_{n}": [] for n in range(61)}))
    assert refused(lambda: build.build_packet(spec, forge.signer)) == "table_count"


def test_scan_of_an_empty_table_is_the_empty_root() -> None:
    entry = scan_table("x", b"", ("id",))
    assert (entry.rows, entry.merkle) == (0, entry.sha256)


# The container.


def other_zip(members, **changes: object) -> bytes:
    """A ZIP as Python's own writer makes it, each member's information changed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            for attribute, value in changes.items():
                setattr(info, attribute, value)
            archive.writestr(info, data)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "./a", "a//b", "a/"])
def test_attack_40_path_traversal(forge, name) -> None:
    assert forge.refusal(other_zip([(name, b"x")])) == "file_name"


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "a\\b", "c:evil", "Upper", "a/b/c/d/e", "\u00e9", "a\x00b", "-a"]
)
def test_attack_41_absolute_backslash_drive_and_other_names(refused, name) -> None:
    raw = name.encode()
    data = container.write_zip({"x" * len(raw): b""}).replace(b"x" * len(raw), raw)
    assert refused(lambda: container.read_zip(data)) == "file_name"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_attack_42_duplicate_member(forge) -> None:
    data = other_zip([("a", b"1"), ("a", b"2")], create_version=10)
    assert forge.refusal(data) == "zip_duplicate_name"


def test_attack_43_symlink_entry(forge) -> None:
    files = forge.files()
    data = other_zip(sorted(files.items()), external_attr=0o120777 << 16)
    assert forge.refusal(data) == "zip_not_canonical"


def test_attack_44_prefix_before_the_archive(forge) -> None:
    assert forge.refusal(b"#!/bin/sh\n" + forge.honest().zip_bytes) == "zip_format"


def test_attack_44b_prefix_with_the_offset_moved_along(forge) -> None:
    data = forge.honest().zip_bytes
    prefix = b"#!/bin/sh\n"
    (start,) = struct.unpack_from("<I", data, len(data) - 6)
    end = struct.pack("<IH", start + len(prefix), 0)
    assert forge.refusal(prefix + data[:-6] + end) == "zip_format"


@pytest.mark.parametrize("trailer", [b"\n", b"PK\x05\x06" + b"\0" * 18])
def test_attack_45_trailer(forge, trailer) -> None:
    assert forge.refusal(forge.honest().zip_bytes + trailer) == "zip_format"


def test_attack_45b_comment(forge) -> None:
    data = forge.honest().zip_bytes[:-2] + struct.pack("<H", 5) + b"hello"
    assert forge.refusal(data) == "zip_format"


def test_attack_46_local_name_differs_from_the_central_directory(forge) -> None:
    data = forge.honest().zip_bytes.replace(b"run.json", b"fun.json", 1)
    assert forge.refusal(data) == "zip_format"


def test_attack_47_deflate_bomb(forge) -> None:
    data = other_zip([("a", b"\0" * (1 << 20))], compress_type=zipfile.ZIP_DEFLATED)
    assert forge.refusal(data) == "zip_method"


def test_members_that_overlap_to_unpack_to_more_than_the_file(refused) -> None:
    # The whole record of the second member lies inside the first, so that both are genuine.
    inner = container.write_zip({"b": b"x" * 900})
    record = inner[: inner.index(b"PK\x01\x02")]
    outer = container.write_zip({"a": record})
    first, second = outer.index(b"PK\x01\x02"), inner.index(b"PK\x01\x02")
    entry = bytearray(inner[second:-22])
    struct.pack_into("<I", entry, 42, outer.index(record))
    directory = outer[first:-22] + bytes(entry)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 2, 2, len(directory), first, 0)
    assert refused(lambda: container.read_zip(outer[:first] + directory + end)) == "zip_format"


@pytest.mark.parametrize(
    "data", [b"", b"PK", b"not a zip at all" * 9, b"PK\x05\x06" + b"\xff" * 18]
)
def test_attack_124_not_a_zip(forge, data) -> None:
    assert forge.refusal(data) in {"zip_format", "zip_too_many"}


def test_attack_125_over_the_size_limit(monkeypatch, forge) -> None:
    path = forge.folder / "packet.zip"
    data = forge.honest().zip_bytes
    path.write_bytes(data)
    monkeypatch.setattr(container, "MAX_PACKET_BYTES", 1000)
    assert forge.refusal(data) == "zip_too_big"
    assert forge.refusal(path) == "zip_too_big"


def test_attack_126_too_many_members(refused) -> None:
    assert refused(lambda: container.write_zip({f"f{n}": b"" for n in range(4097)})) == (
        "zip_too_many"
    )
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 4097, 4097, 0, 0, 0)
    assert refused(lambda: container.read_zip(end)) == "zip_too_many"


def test_attack_127_emitter_bad_member_name(refused) -> None:
    assert refused(lambda: container.write_zip({"../a": b""})) == "file_name"


@pytest.mark.parametrize("cut", [1, 22, 23, 200, 1000])
def test_attack_128_truncated(forge, cut) -> None:
    assert forge.refusal(forge.honest().zip_bytes[:-cut]) == "zip_format"


def test_attack_128b_member_altered_without_its_checksum(refused) -> None:
    data = container.write_zip({"a": b"hello"}).replace(b"hello", b"jello")
    assert refused(lambda: container.read_zip(data)) == "zip_format"


@pytest.mark.parametrize(
    ("offset", "value"),
    [(10, 1), (12, 0), (6, 8)],
    ids=["time", "date", "flags"],
)
def test_container_metadata_has_one_value(refused, offset, value) -> None:
    data = bytearray(container.write_zip({"a": b"hello"}))
    central = data.index(b"PK\x01\x02")
    for start in (offset, central + offset + 2):
        struct.pack_into("<H", data, start, value)
    assert refused(lambda: container.read_zip(bytes(data))) == "zip_not_canonical"


def test_container_extra_field_and_unsorted_members(refused) -> None:
    assert refused(lambda: container.read_zip(other_zip([("b", b"1"), ("a", b"2")]))) == (
        "zip_not_canonical"
    )
    extra = other_zip([("a", b"1")], extra=struct.pack("<HH", 0x9999, 0))
    assert refused(lambda: container.read_zip(extra)) in {"zip_format", "zip_not_canonical"}


def test_end_record_counts_must_agree(refused) -> None:
    data = container.write_zip({"a": b"1", "b": b"2"})
    for count in (1, 3):
        end = bytearray(data)
        struct.pack_into("<HH", end, len(data) - 14, count, count)
        assert refused(lambda end=end: container.read_zip(bytes(end))) == "zip_format"


def test_a_file_of_two_gib_is_refused_without_being_read(refused, monkeypatch) -> None:
    monkeypatch.setattr(container, "_MAX_FILE_BYTES", 3)
    assert refused(lambda: container.write_zip({"a": b"1234"})) == "file_too_big"


def test_what_the_reader_would_refuse_as_too_big_is_not_written(refused, monkeypatch) -> None:
    # Headers count too: a packet of exactly the limit is the largest that both sides accept.
    size = len(container.write_zip({"a": b"1234", "b/c": b""}))
    monkeypatch.setattr(container, "MAX_PACKET_BYTES", size)
    assert container.read_zip(container.write_zip({"a": b"1234", "b/c": b""}))
    monkeypatch.setattr(container, "MAX_PACKET_BYTES", size - 1)
    assert refused(lambda: container.write_zip({"a": b"1234", "b/c": b""})) == "packet_too_big"


# Folders.


def unpacked(forge):
    for name, data in forge.files().items():
        path = forge.folder / "p" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return forge.folder / "p"


def test_gap_folder_with_a_symlinked_file(forge) -> None:
    folder = unpacked(forge)
    (folder / "run.json").rename(forge.folder / "run.json")
    (folder / "run.json").symlink_to(forge.folder / "run.json")
    assert forge.refusal(folder) == "folder_not_regular"


def test_gap_folder_with_a_symlinked_folder(forge) -> None:
    folder = unpacked(forge)
    (folder / "tables").rename(forge.folder / "tables")
    (folder / "tables").symlink_to(forge.folder / "tables", target_is_directory=True)
    assert forge.refusal(folder) == "folder_not_regular"


def test_folder_with_a_pipe_or_a_strange_name(forge) -> None:
    folder = unpacked(forge)
    os.mkfifo(folder / "pipe")
    assert forge.refusal(folder) == "folder_not_regular"
    (folder / "pipe").unlink()
    (folder / "README").write_bytes(b"")
    assert forge.refusal(folder) == "file_name"


def test_folder_beyond_the_limits(forge, monkeypatch) -> None:
    folder = unpacked(forge)
    monkeypatch.setattr(container, "MAX_MEMBERS", 3)
    assert forge.refusal(folder) == "zip_too_many"
    monkeypatch.setattr(container, "MAX_PACKET_BYTES", 100)
    assert forge.refusal(folder) == "zip_too_big"


def test_a_path_that_is_not_there(forge) -> None:
    assert forge.refusal(forge.folder / "absent.zip") == "unreadable"


def test_a_crash_of_the_verifier_is_a_refusal(forge) -> None:
    assert forge.refusal(forge.honest().zip_bytes, trust=None) == "verifier_defect"


def test_the_writer_agrees_with_pythons_own_reader(forge) -> None:
    with zipfile.ZipFile(io.BytesIO(forge.honest().zip_bytes)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == forge.files()
        assert all(zlib.crc32(archive.read(info)) == info.CRC for info in archive.infolist())
