"""The one error of the simulated rail, in the shape a Stripe client would receive it.

Belongs here: `RailError`. Does not belong here: HTTP transport failures (faults.py, http.py).
"""

from __future__ import annotations

__all__ = ["RailError"]


class RailError(Exception):
    """A refusal by the simulated rail; over HTTP it becomes Stripe's error body.

    Attributes:
        message: what was got, what was expected and what to do.
        status: the HTTP status Stripe would answer with.
        code: Stripe's error code (`balance_insufficient`, `resource_missing`, ...), or None.
        param: the parameter at fault, or None.
        kind: Stripe's error type.
        executed: True when the refusal came from executing the act, not from validating it;
            only such refusals are remembered under an idempotency key.
        headers: what the HTTP answer carries besides.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str | None = None,
        param: str | None = None,
        kind: str = "invalid_request_error",
        executed: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.param = param
        self.kind = kind
        self.executed = executed
        self.headers: dict[str, str] = {}

    def body(self) -> dict[str, object]:
        """Return Stripe's error envelope."""
        error: dict[str, object] = {"type": self.kind, "message": self.message}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param is not None:
            error["param"] = self.param
        return {"error": error}
