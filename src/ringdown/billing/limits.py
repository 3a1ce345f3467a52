"""Whether a call may be held for: by the balance, by the budget of its batch, by the day's limit; pure."""

from dataclasses import dataclass, replace
from typing import Literal, Self

from ringdown.errors import PaymentRequired

#: `details.reason` of a refusal.
RefusalReason = Literal["insufficient_credits", "batch_limit", "daily_limit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """What may be spent now; a limit of None is none, and the balance counts only where credits are enforced."""

    balance: int
    is_enforced: bool
    batch_limit: int | None = None
    batch_spent: int = 0
    daily_limit: int | None = None
    day_spent: int = 0

    @property
    def is_limited(self) -> bool:
        """Whether anything can be refused."""
        return self.is_enforced or self.batch_limit is not None or self.daily_limit is not None

    def find_refusal(self, required: int) -> PaymentRequired | None:
        """Why `required` credits cannot be held; None when they can."""
        if self.is_enforced and self.balance < required:
            return _refuse(
                "insufficient_credits",
                f"A call needs {required} credits; the balance is {self.balance}.",
                {"required": required, "balance": self.balance},
            )
        if self.batch_limit is not None and self.batch_spent + required > self.batch_limit:
            return _refuse(
                "batch_limit",
                f"A call needs {required} credits; {self.batch_spent} of the batch's {self.batch_limit} are spent.",
                {"required": required, "spent": self.batch_spent, "limit": self.batch_limit},
            )
        if self.daily_limit is not None and self.day_spent + required > self.daily_limit:
            return _refuse(
                "daily_limit",
                f"A call needs {required} credits; {self.day_spent} of the day's {self.daily_limit} are spent.",
                {"required": required, "spent": self.day_spent, "limit": self.daily_limit},
            )
        return None

    def take(self, credits_: int) -> Self:
        """The purse after these credits were held."""
        return replace(
            self,
            balance=self.balance - credits_,
            batch_spent=self.batch_spent + credits_,
            day_spent=self.day_spent + credits_,
        )


def _refuse(reason: RefusalReason, message: str, facts: dict[str, object]) -> PaymentRequired:
    return PaymentRequired(message, {"reason": reason, **facts})
