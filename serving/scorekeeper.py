"""The scorekeeper: scores the leads of the worklist that the model has not scored.

A lead may be handed over by a file that nobody scored, and another champion orders anew. One
thread of the keeper sees to it within seconds, so that whoever looks at the queue writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from features.store.database import Store
from features.store.promotions import Champion, written
from features.store.scores import GivenScore
from features.store.unscored import Wants, add_wanted, newest_change, unscored
from serving.artefact import LoadedModel
from serving.champion import Live
from serving.steady import Steady
from serving.worklist import scores_of

AT_ONCE = 500
"""Leads in one transaction, so that nobody waits long for it."""
_MOMENT = timedelta(microseconds=1)
"""After a score that another clock has dated ahead: else that would stay the newest one."""
_SECONDS = 0.5
"""Between two looks at the store."""
_TROUBLE_SECONDS = 10.0


def score_listed(store: Store, model: LoadedModel, now: datetime) -> int:
    """Score leads of the worklist that the model has not scored; return how many were looked at.

    At most `AT_ONCE`, those handed over last first. One that the model cannot score is passed
    over until something more becomes known of it.
    """
    scorer = model.artefact.scorer
    wants = Wants(model.version, scorer.value is not None)
    with store.reading() as connection:
        waiting = unscored(connection, wants, AT_ONCE)
    if not waiting:
        return 0
    found = scores_of(model, [(lead.lead, lead.known) for lead in waiting], reasons=0)
    given = [
        GivenScore(
            *lead[:5],
            max(now, lead.scored + _MOMENT) if lead.scored else now,
            model.version,
            scorer.agreed,
            score.probability,
            score.grade,
            score.expected_value,
        )
        for lead, score in zip(waiting, found, strict=True)
        if score is not None
    ]
    cannot = [lead.lead for lead, score in zip(waiting, found, strict=True) if score is None]
    store.write(lambda connection: add_wanted(connection, wants, given, cannot, now))
    return len(waiting)


class Scorekeeper(Steady):
    """Does so from a thread of its own, whenever something has happened."""

    def __init__(
        self, live: Live, open_it: Callable[[], Store], now: Callable[[], datetime]
    ) -> None:
        """Prepare.

        Args:
            live: gives the model that scores; started with it.
            open_it: opens the store; called again while it fails.
            now: gives the moment, in UTC.

        """
        super().__init__(open_it)
        self._live = live
        self._now = now
        self._done: tuple[object, ...] | None = None

    def _go_on(self) -> None:
        self._live.start()
        super()._go_on()

    def step(self) -> float:
        """Score some of what waits; return after how many seconds to look again."""
        looked_at = self._tried("leads of the queue wait for their score", self._look)
        if looked_at is None:
            return _TROUBLE_SECONDS
        return 0.0 if looked_at == AT_ONCE else _SECONDS

    def _look(self, store: Store) -> int:
        model = self._live.model
        if model is None:
            return 0
        with store.reading() as connection:
            seen = (model.version, model.digest, *newest_change(connection))
            if seen == self._done:
                return 0
            champion = written(connection)
        # Else two services of which one refuses the champion would score in turn for ever.
        if champion not in (None, Champion(model.version, model.digest)):
            return 0
        looked_at = score_listed(store, model, self._now())
        if not looked_at:
            self._done = seen
        return looked_at
