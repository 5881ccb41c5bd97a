"""Who a lead is and what they did: firms, contacts, requests and visits before hand-off."""

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np

from features.simulate.draw import UNRECORDED, Codes, Floats, Mask, pick
from features.simulate.market import CHANNEL_NAMES, Arrivals, pick_source
from features.simulate.settings import Settings
from features.simulate.words import (
    BUDGETS,
    COUNTRIES,
    DEPARTMENTS,
    FIRST_NAMES,
    FORMS,
    INDUSTRIES,
    LAST_NAMES,
    MESSAGES_A_KIND,
    PRODUCT_SETS,
    SENIORITY,
    TITLE_FORMS,
    TITLES,
)

LEADS_A_FIRM = 1.6
FREE, BUSINESS = 0, 1  # kinds of e-mail address
NATIONAL, INTERNATIONAL = 0, 1  # ways to write a phone number
STUDENT, CHAT = SENIORITY.index("Student"), FORMS.index("Web chat")
WEBINAR = CHANNEL_NAMES.index("Webinar")
YES, NO = 0, 1

# How much more often than the average field each one stays empty (fields of the web visit
# vanish together, because the visitor refused to be tracked).
FORGETFUL = {
    "industry": 1.0, "employees": 0.8, "revenue": 3.0, "phone": 1.6, "mail": 0.3, "title": 0.7,
    "seniority": 1.4, "products": 0.6, "budget": 2.5, "timeline": 1.8, "message": 5.0,
    "visits": 1.0,
}  # fmt: skip
NAMED_DEPARTMENT = np.array(
    [
        next((code for code, name in enumerate(DEPARTMENTS) if name in title), UNRECORDED)
        for title in (*TITLES, "")
    ]
)
TRACKED = ("visits", "pages", "minutes", "last_visit")
FORM_CHANCES = np.array(
    [  # demo, pricing, contact, chat, webinar, paper, newsletter: one row a channel
        [22, 18, 22, 16, 2, 14, 6],
        [8, 6, 14, 10, 6, 34, 22],
        [30, 14, 34, 10, 2, 6, 4],
        [20, 18, 36, 8, 4, 10, 4],
        [8, 5, 10, 14, 10, 33, 20],
        [6, 3, 5, 4, 70, 8, 4],
        [16, 8, 52, 1, 3, 12, 8],
        [10, 8, 46, 4, 8, 14, 10],
    ]
)
SENIORITY_CHANCES = np.array([7, 9, 17, 34, 26, 7]) * np.array(
    [  # students find papers and social posts; buyers' heads come by referral and outbound
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        [0.6, 0.7, 0.9, 1.0, 1.2, 2.2],
        [2.0, 1.6, 1.2, 0.9, 0.6, 0.2],
        [1.4, 1.2, 1.2, 1.0, 0.8, 0.2],
        [0.6, 0.8, 0.9, 1.0, 1.2, 1.8],
        [0.6, 0.9, 1.1, 1.1, 1.1, 0.8],
        [1.2, 1.1, 1.1, 1.0, 0.8, 1.0],
        [1.8, 1.7, 1.3, 0.9, 0.6, 0.1],
    ]
)


@dataclass(frozen=True)
class Company:
    """The firm behind each lead; employees and revenue (a year, in euros) may be NaN."""

    firm: Codes
    industry: Codes
    country: Codes
    employees: Floats
    revenue: Floats


@dataclass(frozen=True)
class Contact:
    """The person: codes of names and title, how mail and phone are given (-1: not)."""

    first: Codes
    last: Codes
    seniority: Codes
    title: Codes
    mail: Codes
    phone: Codes


@dataclass(frozen=True)
class Request:
    """What was asked for, and through which form."""

    source: Codes
    form: Codes
    products: Codes
    budget: Codes
    timeline: Codes
    message: Codes
    consent: Codes


@dataclass(frozen=True)
class Engagement:
    """What the lead did before hand-off; `last_visit` counts days before creation."""

    visits: Floats
    pages: Floats
    minutes: Floats
    last_visit: Floats
    emails: Codes
    downloads: Codes
    webinar: Codes
    device: Codes


@dataclass(frozen=True)
class Leads:
    """Everything recorded about each lead at hand-off, in order of creation."""

    arrivals: Arrivals
    company: Company
    contact: Contact
    request: Request
    engagement: Engagement


Part = TypeVar("Part", Company, Contact, Request, Engagement)


def enquire(settings: Settings, arrivals: Arrivals) -> Leads:
    """Draw who stands behind each arrival, then forget what was never recorded.

    Forgetting comes before the outcome is drawn, so that the outcome depends on nothing
    that the export does not show.
    """
    rng = settings.stream("people")
    company = _companies(rng, len(arrivals.created))
    contact = _contacts(rng, arrivals)
    interest = rng.normal(0.0, 1.0, len(arrivals.created))
    request = _requests(rng, arrivals, contact, company.employees)
    engagement = _engagement(rng, arrivals, interest)
    gaps = _gaps(settings, request.form)
    return Leads(
        arrivals,
        _forget(company, gaps),
        _forget(contact, gaps),
        _forget(request, gaps),
        _forget(engagement, gaps),
    )


def _companies(rng: np.random.Generator, size: int) -> Company:
    """Draw a pool of firms, then the firm of each lead: some firms enquire again."""
    pool = max(1, int(size / LEADS_A_FIRM))
    industry = pick(rng, [i.share for i in INDUSTRIES], pool)
    country = pick(rng, [c.share for c in COUNTRIES], pool)
    middle = np.array([i.middle for i in INDUSTRIES])[industry]
    employees = np.ceil(middle * rng.lognormal(0.0, 1.3, pool))
    revenue = np.round(employees * 140_000 * rng.lognormal(0.0, 0.6, pool), -4)
    firm = rng.integers(0, pool, size)
    return Company(firm, industry[firm], country[firm], employees[firm], revenue[firm])


def _contacts(rng: np.random.Generator, arrivals: Arrivals) -> Contact:
    size = len(arrivals.channel)
    seniority = pick(rng, SENIORITY_CHANCES[arrivals.channel], size)
    free = rng.random(size) < np.where(seniority == STUDENT, 0.7, 0.12)
    forms = len(TITLE_FORMS[0])
    wording = rng.integers(0, len(DEPARTMENTS) * forms, size)
    return Contact(
        first=rng.integers(0, len(FIRST_NAMES), size),
        last=rng.integers(0, len(LAST_NAMES), size),
        seniority=seniority,
        title=seniority * (len(DEPARTMENTS) * forms) + wording,
        mail=np.where(free, FREE, BUSINESS),
        phone=np.where(rng.random(size) < 0.2, NATIONAL, INTERNATIONAL),
    )


def _requests(
    rng: np.random.Generator, arrivals: Arrivals, contact: Contact, employees: Floats
) -> Request:
    size = len(employees)
    form = pick(rng, FORM_CHANCES[arrivals.channel], size)
    means = np.log10(employees) - 0.6 + rng.normal(0.0, 0.7, size)
    talk = np.where((contact.seniority == STUDENT)[:, None], [2, 1, 1, 0, 0, 9], [9, 5, 5, 3, 3, 1])
    kind = pick(rng, talk, size)
    return Request(
        source=pick_source(rng, arrivals.channel),
        form=form,
        products=pick(rng, [0.35 ** (s.count(";")) for s in PRODUCT_SETS], size),
        budget=np.clip(np.round(means), 0, len(BUDGETS) - 1).astype(np.int64),
        timeline=pick(rng, [10, 20, 28, 17, 25], size),
        message=kind * MESSAGES_A_KIND + rng.integers(0, MESSAGES_A_KIND, size),
        consent=pick(rng, [70, 30], size),
    )


def _engagement(rng: np.random.Generator, arrivals: Arrivals, interest: Floats) -> Engagement:
    """Counts that rise together with an interest which shows in nothing else."""
    size = len(interest)
    visits: Floats = 1.0 + rng.poisson(np.exp(0.5 + 0.7 * interest)).astype(np.float64)
    pages: Floats = visits + rng.poisson(1.6 * visits).astype(np.float64)
    usual = np.where(arrivals.channel == WEBINAR, 0.6, 0.06 + 0.05 * (interest > 0))
    return Engagement(
        visits=visits,
        pages=pages,
        minutes=np.round(visits * rng.gamma(1.5, 2.2, size), 1),
        last_visit=np.floor(rng.exponential(9.0 * np.exp(-0.3 * interest))),
        emails=rng.poisson(np.exp(0.4 * interest)),
        downloads=rng.poisson(0.5 * np.exp(0.3 * interest)),
        webinar=np.where(rng.random(size) < usual, YES, NO),
        device=pick(rng, [66, 29, 5], size),
    )


def _gaps(settings: Settings, form: Codes) -> dict[str, Mask]:
    """Which leads lack which field: chats leave more fields empty than forms do."""
    rng = settings.stream("gaps")
    share = settings.missing * np.where(form == CHAT, 2.2, 0.85)
    gaps = {
        name: rng.random(len(form)) < np.minimum(0.95, share * times)
        for name, times in FORGETFUL.items()
    }
    return gaps | dict.fromkeys(TRACKED, gaps["visits"])


def _forget(part: Part, gaps: dict[str, Mask]) -> Part:
    """The part without the values that were never recorded."""
    kept: dict[str, Any] = {}
    for name in {f.name for f in fields(part)} & gaps.keys():
        values = getattr(part, name)
        blank = np.nan if values.dtype.kind == "f" else UNRECORDED
        kept[name] = np.where(gaps[name], blank, values)
    return replace(part, **kept)


def department(title: Codes) -> Codes:
    """The department that a job title names, -1 for "CEO", "student" or an unrecorded title."""
    codes: Codes = NAMED_DEPARTMENT[title]
    return codes
