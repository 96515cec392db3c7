"""An agent of the demo shop: approves drafts through the review API, as a person would."""

import httpx

from cs_bot.demo.observer import TurnView

TIMEOUT_S = 5.0


class Agent:
    """Speaks to the review API of a running cs-bot with an agent's token."""

    def __init__(self, address: str, token: str) -> None:
        self._address = f"{address}/api/reviews"
        self._headers = {"authorization": f"Bearer {token}"}

    def approve(self, view: TurnView) -> str | None:
        """Claim the review of a message and send its draft; what went wrong, None when it is on its way."""
        if view.review_id is None:
            return "no review to approve"
        try:
            with httpx.Client(headers=self._headers, timeout=TIMEOUT_S, trust_env=False) as client:
                found = client.get(f"{self._address}/{view.review_id}").raise_for_status().json()
                for action in ("claim", "approve"):
                    answer = client.post(
                        f"{self._address}/{view.review_id}/{action}", json={"version": found["version"]}
                    )
                    found = answer.raise_for_status().json()
        except httpx.HTTPStatusError as problem:
            return f"the review API answered {problem.response.status_code}"
        except httpx.HTTPError as problem:
            return f"the review API can't be reached ({type(problem).__name__})"
        return None
