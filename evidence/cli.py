"""`tieout-verify`: an auditor's answer in plain text, without a network and without Tieout.

What belongs here: arguments, and telling what was checked, what was refused and what is not
proven. What does not: any check.

Exit codes: 0 accepted, 1 refused, 2 misuse.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from evidence import chain, plan, schema
from evidence.errors import Refusal, show
from evidence.keys import public_key_from_pem
from evidence.trust import TrustFile, load_trust
from evidence.verify import Verified, verify_packet

ACCEPTED, REFUSED, MISUSE = 0, 1, 2
TRUST_VARIABLE = "TIEOUT_TRUST"

_MAX_PEM_BYTES = 1 << 14


class _Misuse(Exception):
    """The command line cannot be carried out; nothing was verified."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _Misuse(message)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `tieout-verify`; returns the exit code and lets no exception out."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    as_json = "--json" in arguments
    try:
        options = _parser().parse_args(arguments)
        verified, packets = _verify(options)
    except SystemExit:
        # argparse leaves this way after --help.
        return ACCEPTED
    except _Misuse as misuse:
        _print_misuse(str(misuse), as_json)
        return MISUSE
    except Refusal as refusal:
        _print_refusal(refusal, as_json)
        return REFUSED
    except Exception as error:
        # The type alone is told: a message could carry what the packet's author wrote into it.
        defect = Refusal("verifier_defect", f"got {type(error).__name__} while verifying")
        _print_refusal(defect, as_json)
        return REFUSED
    _print_accepted(verified, packets, as_json)
    return ACCEPTED


def _parser() -> _Parser:
    parser = _Parser(
        prog="tieout-verify",
        description="Verify a Tieout run packet offline.",
        epilog="Exit codes: 0 accepted, 1 refused, 2 misuse. trust.json comes from the issuer"
        " through a channel you agreed on, never with the packet.",
    )
    parser.add_argument("packet", type=Path, help="the packet: a ZIP, or a folder it was unpacked")
    parser.add_argument(
        "--trust", type=Path, help=f"trust.json (default: the file that {TRUST_VARIABLE} names)"
    )
    parser.add_argument("--root-key", type=Path, help="PEM of the key that must sign trust.json")
    parser.add_argument(
        "--min-trust-version", type=int, default=1, help="refuse an older trust.json"
    )
    parser.add_argument(
        "--trust-memory",
        type=Path,
        metavar="FILE",
        help="remember the newest trust.json version accepted here, and refuse an older one",
    )
    parser.add_argument("--tenant-id", help="the tenant you expect")
    parser.add_argument("--period", help="the month you expect, YYYY-MM")
    parser.add_argument("--revision", type=int, help="the revision you expect")
    parser.add_argument(
        "--chain", type=Path, metavar="FOLDER", help="also verify all packets before it, from here"
    )
    parser.add_argument(
        "--no-log-proof", action="store_true", help="accept a packet without a log proof"
    )
    parser.add_argument(
        "--replay",
        action="store_true",
        help="compute the tables again from the packet's inputs (needs tieout[replay])",
    )
    parser.add_argument(
        "--code-sha256",
        metavar="HEX",
        help="with --replay: the digest of the statements you expect, from a home of your own",
    )
    parser.add_argument("--json", action="store_true", help="answer as one JSON object")
    return parser


def _verify(options: argparse.Namespace) -> tuple[Verified, int]:
    now = datetime.now(UTC)
    if options.code_sha256 is not None and not options.replay:
        raise _Misuse("--code-sha256 says nothing without --replay: pass both")
    trust = _load_trust(options)
    verified = verify_packet(
        options.packet,
        trust,
        options.tenant_id,
        options.period,
        options.revision,
        require_log=not options.no_log_proof,
        now=now,
        replay=options.replay,
    )
    if options.code_sha256 is not None:
        verified = _expect_code(verified, options.code_sha256)
    if options.chain is None:
        return verified, 1
    return verified, _verify_chain(options, trust, verified, now)


def _expect_code(verified: Verified, expected: str) -> Verified:
    """The answer when the packet was computed again by the statements its reader expects."""
    stated = verified.run["code_sha256"]
    if stated != expected:
        raise Refusal("replay_code", f"got statements {stated}, expected {show(expected)}")
    return replace(
        verified,
        checks=(*verified.checks, f"code: the statements are those you expect ({expected})"),
        not_proven=tuple(gap for gap in verified.not_proven if gap != plan.CODE_GAP),
    )


def _load_trust(options: argparse.Namespace) -> TrustFile:
    path = options.trust or (
        Path(os.environ[TRUST_VARIABLE]) if TRUST_VARIABLE in os.environ else None
    )
    if path is None:
        raise _Misuse(
            f"no trust file: pass --trust trust.json or set {TRUST_VARIABLE}; without one nobody"
            " says whose signature counts"
        )
    minimum = max(options.min_trust_version, _remembered(options.trust_memory))
    trust = load_trust(path, _roots(options.root_key), minimum)
    if options.trust_memory is not None and trust.version != minimum:
        _remember(options.trust_memory, trust.version)
    return trust


def _roots(path: Path | None) -> tuple[bytes, ...]:
    if path is None:
        return ()
    try:
        with path.open("rb") as file:
            pem = file.read(_MAX_PEM_BYTES)
    except OSError as error:
        raise Refusal("unreadable", f"got {error.strerror} for the root key") from None
    return (public_key_from_pem(pem.decode("ascii", "replace")),)


def _remembered(path: Path | None) -> int:
    if path is None or not path.exists():
        return 1
    with path.open("rb") as file:
        text = file.read(32).decode("ascii", "replace").strip()
    if not text.isdigit():
        raise Refusal("trust_memory", "got a memory file that holds no version number")
    return int(text)


def _remember(path: Path, version: int) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(f"{version}\n", encoding="ascii")
    temporary.replace(path)


def _verify_chain(
    options: argparse.Namespace, trust: TrustFile, head: Verified, now: datetime
) -> int:
    """Length of the packet's chain, every link verified like the packet itself."""
    tenant = head.statement.tenant
    paths = sorted(options.chain.glob("**/*.zip"))
    if len(paths) > chain.MAX_CHAIN:
        raise Refusal("chain_too_long", f"got {len(paths)} packets in the folder")
    found = [head]
    for path in paths:
        packet = verify_packet(
            path, trust, tenant, None, require_log=not options.no_log_proof, now=now
        )
        found.append(packet)
    return len(chain.check_chain(found, tenant, head.statement.period, head.packet_sha256))


def _print_accepted(verified: Verified, packets: int, as_json: bool) -> None:
    stated = verified.statement
    checks, gaps = list(verified.checks), list(verified.not_proven)
    if packets > 1 or stated.previous is None:
        checks.append(f"chain: {packets} packets, back to the tenant's first")
        gaps = [gap for gap in gaps if not gap.startswith("the packet it builds on")]
    if as_json:
        _print_json(
            {
                "accepted": True,
                "as_of": verified.run["as_of"],
                "checks": checks,
                "code_sha256": verified.run["code_sha256"],
                "not_proven": gaps,
                "packet_sha256": verified.packet_sha256,
                "period": stated.period,
                "revision": stated.revision,
                "signers": list(verified.signers),
                "tenant_id": stated.tenant,
                "trusted_time": verified.trusted_time,
                "verdict": stated.verdict,
            }
        )
        return
    lines = [
        f"ACCEPTED  packet {verified.packet_sha256}",
        f"  tenant {stated.tenant}   period {stated.period}   revision {stated.revision}"
        f"   verdict {stated.verdict}",
        f"  as of {verified.run['as_of']}, as the issuer says",
        f"  signed by {', '.join(verified.signers)}",
        f"  seen by witnesses at {_time(verified.trusted_time)}",
        "Checked:",
        *(f"  - {check}" for check in checks),
        "Not proven:",
        *(f"  - {gap}" for gap in gaps),
    ]
    _say("\n".join(lines))


def _print_refusal(refusal: Refusal, as_json: bool) -> None:
    if as_json:
        answer = {
            "accepted": False,
            "code": refusal.code,
            "detail": refusal.detail,
            "remedy": refusal.remedy,
        }
        _print_json(answer)
        return
    _say(f"REFUSED  {refusal.code}\n  {refusal.detail}.\n  What to do: {refusal.remedy}.")


def _print_misuse(message: str, as_json: bool) -> None:
    if as_json:
        _print_json({"accepted": False, "code": "misuse", "detail": message})
    else:
        print(f"tieout-verify: {message}\nSee tieout-verify --help.", file=sys.stderr)


def _print_json(answer: dict[str, object]) -> None:
    _say(json.dumps(answer, indent=2, sort_keys=True))


def _time(unix_seconds: int | None) -> str:
    if unix_seconds is None:
        return "an unknown time"
    return schema.utc_text(datetime.fromtimestamp(unix_seconds, UTC))


def _say(text: str) -> None:
    """Prints an answer; a reader that went away, such as `head`, changes no verdict."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Otherwise the interpreter would fail once more when it closes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
