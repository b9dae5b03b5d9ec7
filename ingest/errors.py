"""The errors that may cross a boundary of the ingest floor.

Belongs here: one small family of exceptions, each of which says what was found, what was expected
and what to do about it. Does not belong here: retry logic, formatting for a terminal, or an error
of the evidence floor (it has its own refusal).

No message may carry a secret, a personal value or the content of a bad line: callers pass ids,
types, file names, line numbers and reasons only.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "ArtifactRefused",
    "JournalError",
    "LandingError",
    "PayoutRefused",
    "SettingError",
    "SourceDenied",
    "SourceIncomplete",
    "SourceUnavailable",
    "TieoutError",
]


class TieoutError(Exception):
    """Base of every error an operator may see.

    Args:
        got: What was found, without secrets or personal data.
        expected: What should have been there instead.
        remedy: The next thing a person should do, as a sentence.
        code: Stable lower-case identifier for tables and exit paths; the class has a default.
    """

    default_code: ClassVar[str] = "tieout_error"

    def __init__(self, got: str, expected: str, remedy: str, code: str | None = None) -> None:
        self.got = got
        self.expected = expected
        self.remedy = remedy
        self.code = code or self.default_code
        super().__init__(got, expected, remedy, self.code)

    def __str__(self) -> str:
        """One paragraph on one line, so that logs and tables can hold it."""
        got, expected, remedy = (
            " ".join(part.split()).rstrip(".") for part in (self.got, self.expected, self.remedy)
        )
        return f"Got: {got}. Expected: {expected}. What to do: {remedy}. [{self.code}]"


class SettingError(TieoutError):
    """A setting is missing, malformed or contradicts another."""

    default_code = "setting_error"


class LandingError(TieoutError):
    """A batch cannot be landed, or landed data is not what its manifest says."""

    default_code = "landing_error"


class SourceUnavailable(TieoutError):
    """A source cannot be reached at all, or holds nothing."""

    default_code = "source_unavailable"


class SourceDenied(TieoutError):
    """A source answered that we may not read (HTTP 401 or 403)."""

    default_code = "source_denied"


class SourceIncomplete(TieoutError):
    """A source stopped before it had told everything: the rows read so far are not the whole."""

    default_code = "source_incomplete"


class ArtifactRefused(TieoutError):
    """A kernel artifact cannot be parsed or verified."""

    default_code = "artifact_refused"


class JournalError(TieoutError):
    """The payout journal is damaged or would be contradicted."""

    default_code = "journal_error"


class PayoutRefused(TieoutError):
    """A payout was stopped before any money moved."""

    default_code = "payout_refused"
