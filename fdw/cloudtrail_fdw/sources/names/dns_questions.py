"""The DNS questions of one statement: many on their way at once, waited for one by one."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable

from cloudtrail_fdw import interrupts
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sources.names.dns_channel import Channel, Question, Reply
from cloudtrail_fdw.sources.names.dns_patience import Patience

IN_FLIGHT = 300  # questions; answers to more overrun even a large socket buffer
OVERDUE = 0.3  # seconds after which, at the earliest, a question takes no place from others
PUMP = 0.01  # seconds between two looks at the sockets while nobody waits


class Questions:
    """Questions in line, on their way and answered; nothing of an earlier statement is left."""

    def __init__(self, cares: Channel, patience: Patience) -> None:
        """Take over the channel."""
        self.cares, self.patience = cares, patience
        self.line: OrderedDict[Question, None] = OrderedDict()  # not sent yet
        self.sent: dict[Question, float] = {}  # and when
        self.busy: dict[Question, float] = {}  # of them, what may be answered any moment
        self.replies: dict[Question, Reply] = {}  # that nobody has taken
        self.awaited: set[Question] = set()
        self.unsent = 0  # of the awaited ones
        self.youngest = 0.0  # when the last of them was sent
        self.answered = 0.0  # when the last question was sent that has been answered
        self.began = 0.0  # when the wait began
        self.turned = 0.0
        cares.cancel()

    def want(self, questions: Iterable[Question], first: bool = False) -> None:
        """Put questions in line, in front with ``first``, unless they have been put there."""
        new = [
            question for question in dict.fromkeys(questions)
            if question not in self.line and question not in self.sent
            and question not in self.replies
        ]  # fmt: skip
        self.line.update(dict.fromkeys(new))
        for question in reversed(new) if first else ():
            self.line.move_to_end(question, last=False)

    def take(self) -> dict[Question, Reply]:
        """All replies that have come, each once."""
        taken, self.replies = self.replies, {}
        return taken

    def wait(self, questions: Iterable[Question]) -> None:
        """Until all of them, which were wanted, have replies; where patience ends, late ones.

        What else is in line is sent meanwhile. Raises FdwError when the query has to stop;
        nothing stays on its way then.
        """
        self.awaited = {question for question in questions if question not in self.replies}
        self.unsent = sum(question not in self.sent for question in self.awaited)
        self.youngest = max((self.sent.get(q, 0.0) for q in self.awaited), default=0.0)
        patience, heard = self.patience, self.patience.answers
        self.began = began = time.monotonic()
        if patience.hopeless():
            self.line.clear()
            self.busy.clear()
        if self.sent or patience.answers:  # what has come meanwhile may be what is wanted
            self.turn(0.0)
        while self.awaited:
            try:
                interrupts.check()
            except FdwError:
                self.forget()
                raise
            left = patience.left(self.quiet())
            if left <= 0:
                break
            before = time.monotonic()
            self.turn(min(left, interrupts.STEP))
            patience.spend(time.monotonic() - before, self.quiet())
        self.give_up()
        patience.end(time.monotonic() - began, patience.answers - heard)

    def quiet(self) -> float:
        """For how many seconds nothing has been heard of what is awaited, though it should have.

        That is nothing at all, or only answers to questions that were sent so much later.
        """
        now, heard = time.monotonic(), self.patience.heard_at
        if self.unsent:
            return now - max(heard, self.began)
        return max(now - max(heard, self.youngest), self.answered - self.youngest)

    def give_up(self) -> None:
        """Let what is awaited have been late, or never have been asked."""
        for question in self.awaited:
            late = self.sent.pop(question, None) is not None
            self.line.pop(question, None)
            self.busy.pop(question, None)
            self.replies[question] = Reply("timeout" if late else "unasked")
        self.awaited.clear()

    def forget(self) -> None:
        """Let nothing be in line or on its way."""
        self.line.clear()
        self.sent.clear()
        self.busy.clear()
        self.awaited.clear()
        self.cares.cancel()

    def pump(self) -> None:
        """Let answers in and further questions out, without waiting, if it is time for that."""
        if (self.sent or self.line) and time.monotonic() - self.turned > PUMP:
            self.turn(0.0)

    def turn(self, seconds: float) -> None:
        """Send what may be sent, and wait so long for answers."""
        limit = time.monotonic() - max(OVERDUE, self.patience.expected())
        while self.busy and next(iter(self.busy.values())) < limit:
            self.send_again(next(iter(self.busy)))
        while self.line and len(self.busy) < IN_FLIGHT:
            self.send(self.line.popitem(last=False)[0])
        self.cares.turn(seconds if self.sent else 0.0)
        self.turned = time.monotonic()

    def send(self, question: Question) -> None:
        """Send one."""
        began = self.sent[question] = self.busy[question] = time.monotonic()
        if question in self.awaited:
            self.unsent -= 1
            self.youngest = began
        self.cares.ask(question, lambda reply: self.landed(question, began, reply))

    def send_again(self, question: Question) -> None:
        """Send one that may have got lost; it takes no place from others any more.

        c-ares' own tries come too late where it knows nothing of the servers yet.
        """
        del self.busy[question]
        began = self.sent[question]
        self.cares.ask(question, lambda reply: self.landed(question, began, reply))

    def landed(self, question: Question, began: float, reply: Reply) -> None:
        """Note a reply, unless the question was given up or is answered."""
        if self.sent.get(question) != began:
            return
        del self.sent[question]
        self.awaited.discard(question)
        self.replies[question] = reply
        first = self.busy.pop(question, None) is not None
        if reply.status != "timeout":
            self.answered = max(self.answered, began)
            # which of two questions it answers cannot be told (RFC 6298 section 3)
            self.patience.hear(time.monotonic() - began if first else None)
