"""`leadq status`: how the loop between sales and marketing is doing."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leadq.common import (
    DEFAULT_AGREEMENT,
    AgreementFile,
    AsJson,
    champion_of,
    err,
    now,
    open_home,
    open_the_store,
    print_json,
    read_agreement,
    say,
    working,
)

if TYPE_CHECKING:
    from features.agreement import Agreement
    from features.home import Home
    from features.store.database import Store
    from training.evaluate import Evaluation
    from training.standing import Standing

commands = typer.Typer()


@commands.command(epilog="Example: leadq status --days 30")
def status(
    days: Annotated[int, typer.Option(min=1, help="How far hand-offs are looked back on.")] = 90,
    agreement: AgreementFile = DEFAULT_AGREEMENT,
    as_json: AsJson = False,
) -> None:
    """Show the loop's health: what came back, promises kept, and what scores were worth."""
    from features.store import agreements
    from features.store.health import (
        first_score,
        given_scores,
        graded,
        lost_reasons,
        passed,
        won_leads,
    )
    from serving.health import health_lines, months, spool_lines, teams, told_reasons
    from serving.spool import waiting
    from training.prospective import (
        by_model,
        by_month,
        lift_lines,
        measured_lift,
        prospective_lines,
        truth_of,
    )
    from training.standing import standing_json, standing_lines

    home, moment, agreed = open_home(), now(), read_agreement(agreement)
    since = moment - timedelta(days=days)
    with working("reading the store"), open_the_store(home) as store:
        with store.reading() as connection:
            handed = passed(connection, since, moment)
            signed = agreements.standing(connection, agreed).sentence
            won = won_leads(connection, since, moment)
            reasons = told_reasons(lost_reasons(connection, since, moment))
            brought = graded(connection, ("A", "B"), moment)
            scores = given_scores(connection, moment)
            first = first_score(connection)
        truth = truth_of(scores, agreed, moment)
        models = by_model(truth, agreed)
        lift = measured_lift(truth)
        promises = _kept_in_mlflow(home, models)
        standing, lacks = _standing(home, store, agreed, moment)
    found = teams(handed, agreed.sla.sales, moment)
    whole = months(brought, max(since, first), moment) if first else []
    spool = waiting(home.folder("spool"), moment.replace(tzinfo=UTC).timestamp())
    say(f"the store: {store.address}", signed, *spool_lines(spool))
    say(f"the last {days} days:")
    say(*health_lines(found, won, reasons, whole, agreed.sla.sales, agreed.sla.marketing))
    say("the model:", *([f"  {lacks}"] if standing is None else standing_lines(standing, moment)))
    say("scores and what became of the leads:")
    say(*prospective_lines(truth, models, promises))
    if scores and standing is not None:
        say(*lift_lines(lift))
    if as_json:
        print_json(
            {
                "store": store.address,
                "agreement": signed,
                "spool": asdict(spool),
                "won": won._asdict(),
                "not_won": [asdict(reason) for reason in reasons],
                "teams": [asdict(team) for team in found],
                "marketing": [asdict(month) for month in whole],
                "model": None if standing is None else standing_json(standing),
                "no_model": lacks,
                "models": {name: model.as_metrics() for name, model in models.items()},
                "months": [asdict(month) for month in by_month(truth)],
                "promises": promises,
                "without_outcome": dict(truth.waiting),
                "measured_lift": None if lift is None else asdict(lift),
            }
        )


def _standing(
    home: Home, store: Store, agreed: Agreement, moment: datetime
) -> tuple[Standing | None, str | None]:
    """Return how the champion stands, or why that cannot be told."""
    from features.errors import ModelError
    from training.standing import standing_of

    try:
        return standing_of(store, champion_of(home, store), agreed, moment), None
    except ModelError as error:
        return None, str(error)


def _kept_in_mlflow(home: Home, models: dict[str, Evaluation]) -> dict[str, dict[str, Any]]:
    """Write what scores were worth beside the backtest; return the backtests by version."""
    from features.errors import ModelError
    from training.track import keep_prospective

    try:
        return {version: keep_prospective(home, version, it) for version, it in models.items()}
    except ModelError as error:
        err.print(f"warning: not kept in MLflow: {error}", markup=False)
        return {}
