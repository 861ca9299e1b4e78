"""What the program says when it refuses: the place, the reason, the remedy."""


class Refusal(Exception):
    """A request the program will not carry out (*refus motivé*).

    place: where the fault is, as the user names it ("lease B-0042", "line 12").
    reason: what is wrong, one sentence.
    remedy: what to do next, one sentence.
    """

    def __init__(self, place: object = "", reason: object = "", remedy: object = "") -> None:
        self.place, self.reason, self.remedy = place, reason, remedy
        super().__init__(place, reason, remedy)

    def __str__(self) -> str:
        return " — ".join(str(part) for part in (self.place, self.reason, self.remedy) if part)
