"""The one exception that leaves this package, and the sentence that says what to do about it.

What belongs here: `Refusal`, the remedy for each family of refusal codes, and the rendering of
foreign values inside a message. What does not: any check, any input or output.
"""

from __future__ import annotations

_REMEDIES: tuple[tuple[str, str], ...] = (
    ("zip_", "ask the issuer for the original file; it was repacked, cut or extended"),
    ("file_name", "ask the issuer for the original file; a packet never holds such a name"),
    ("packet_changed", "verify a copy that nothing else writes to"),
    ("packet_too_big", "split the period as the message says and issue one packet for each part"),
    ("json_", "ask the issuer for the original bytes; the text is not what the emitter writes"),
    ("b64", "ask the issuer for the original bytes; the text is not what the emitter writes"),
    ("untrusted_key", "check that trust.json is current and names this signer for this tenant"),
    ("threshold", "check trust.json, or ask for the signatures that are missing"),
    ("trust_", "obtain trust.json again through the channel agreed with the issuer"),
    ("vkey", "obtain trust.json again through the channel agreed with the issuer"),
    ("key_compromised", "do not rely on it; ask for a packet signed by a key in good standing"),
    ("key_file_exists", "name a file that is not there; a key is never written over"),
    ("key_file", "name a PKCS#8 Ed25519 private key of your own, in a file of mode 0600"),
    ("key_", "check the key's window and status in trust.json with the issuer"),
    ("retired_key", "ask for the packet with its log proof; a retired key needs trusted time"),
    ("wrong_", "check what you asked for; this document was issued for something else"),
    ("log_proof_required", "ask for the packet with its log proof, or pass --no-log-proof"),
    ("log_", "stop issuing and compare packets/log with the last checkpoint a partner holds"),
    ("witness_memory", "ask for a request from the size you cosigned last: --since SIZE"),
    ("witness_request", "ask the issuer for the file that tieout packet checkpoint writes"),
    ("witness_unknown", "name the witness with tieout keys trust --witness VKEY --quorum N"),
    ("witness_", "ask the issuer for a proof cosigned by the witnesses in trust.json"),
    ("proof_", "ask the issuer for the packet's own log proof"),
    ("note_", "ask the issuer for the packet's own log proof"),
    ("checkpoint_", "ask the issuer for the packet's own log proof"),
    ("consistency", "do not rely on the log; report both checkpoints to every other partner"),
    ("chain_", "ask the issuer for the packets that are missing, back to the first"),
    ("table_", "do not rely on it; report the packet to the issuer"),
    ("evidence_", "do not rely on it; report the packet to the issuer"),
    ("replay_differs", "do not rely on it; its tables do not follow from its own inputs"),
    ("replay_engine", "run pip install 'tieout[replay]', or verify without --replay"),
    ("replay_limits", "replay on a machine with more memory, or verify without --replay"),
    ("replay_inputs", "ask the issuer for the packet with its inputs, or verify without --replay"),
    ("replay_code", "do not rely on its tables; ask which release issued it, and compare again"),
    ("replay_", "report it to the issuer; without --replay see what is listed as not proven"),
    ("sql_", "do not rely on it; its SQL does what no table needs"),
    ("decision_expired", "evaluate the gates again and issue a new decision"),
    ("unreadable", "check that the path exists and that you may read it"),
)
_DEFAULT_REMEDY = "do not rely on it; report it to the issuer with this code"


class Refusal(Exception):
    """Something was not accepted.

    Attributes:
        code: stable snake_case name of the check that failed.
        detail: what was got and what was expected, in one sentence, printable ASCII.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    @property
    def remedy(self) -> str:
        """What the reader of this refusal should do next."""
        for prefix, remedy in _REMEDIES:
            if self.code.startswith(prefix):
                return remedy
        return _DEFAULT_REMEDY

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}. What to do: {self.remedy}."


def show(value: object, limit: int = 80) -> str:
    """Render a foreign value for a message: ASCII only, bounded, no terminal escapes.

    Only scalars are rendered; of a container nothing but its type is worth telling, and walking
    a hostile one costs time.
    """
    if value is None or isinstance(value, bool | int | float):
        return repr(value) if not isinstance(value, int) or abs(value) < 1 << 64 else "a huge int"
    if isinstance(value, str | bytes):
        text = ascii(value[: limit + 1])
        return text if len(value) <= limit else text + "..."
    return f"a value of type {type(value).__name__}"
