"""The CRM's view: every lead as a row of text, with what sales filled in and with the dirt."""

import numpy as np

from features.simulate.dirt import spoil
from features.simulate.draw import (
    Codes,
    Mask,
    Table,
    Texts,
    label,
    minutes,
    stamp,
    whole,
)
from features.simulate.hindsight import endings, sales_fields
from features.simulate.journey import Journey
from features.simulate.market import CHANNEL_NAMES, SOURCES, Campaigns
from features.simulate.people import FREE, NATIONAL, Leads
from features.simulate.settings import Settings
from features.simulate.words import (
    BUDGETS,
    COUNTRIES,
    DEVICES,
    FIRST_NAMES,
    FORMS,
    FREE_MAIL,
    INDUSTRIES,
    LAST_NAMES,
    MESSAGES,
    PLAIN,
    PRODUCT_SETS,
    SENIORITY,
    SYLLABLES,
    TIMELINES,
    TITLES,
    TRADES,
    YES_NO,
)

ROLES: dict[str, tuple[str, ...]] = {
    "id": ("id",),
    "created": ("created_at",),
    "outcome": ("status",),
    "closed": ("closed_at",),
    "value": ("deal_value",),
    "campaign": ("campaign", "channel", "source"),
    "personal": ("first_name", "last_name", "email", "phone"),
    "honest": (
        "company", "domain", "industry", "employees", "annual_revenue", "country", "job_title",
        "seniority", "products", "budget", "timeline", "message", "form_type", "visits", "pages",
        "minutes_on_site", "last_visit", "emails_opened", "downloads", "webinar_attended",
        "device", "language", "consent_marketing",
    ),
    "idle": ("newsletter_print", "crm_region", "fax"),
    "leak": (
        "contract_until", "tag", "lead_rating", "last_activity", "call_minutes", "quote_amount",
        "close_reason",
    ),
}  # fmt: skip


def records(settings: Settings, campaigns: Campaigns, leads: Leads, journey: Journey) -> Table:
    """All columns of the export for every lead, in the order in which a CRM shows them."""
    ids = [f"L-{number:06d}" for number in range(1, len(journey.state) + 1)]
    clean = (
        {"id": ids, "created_at": stamp(leads.arrivals.created)}
        | endings(leads, journey)
        | _origin(campaigns, leads)
        | _company(leads)
        | _contact(settings, leads)
        | _request(leads)
        | _behaviour(settings, leads)
        | sales_fields(settings, journey)
    )
    return spoil(settings, clean)


def _origin(campaigns: Campaigns, leads: Leads) -> Table:
    return {
        "campaign": label(campaigns.names, leads.arrivals.campaign).tolist(),
        "channel": label(CHANNEL_NAMES, leads.arrivals.channel).tolist(),
        "source": label(SOURCES, leads.request.source).tolist(),
    }


def _company(leads: Leads) -> Table:
    company = leads.company
    words = _firm_words(company.firm)
    legal = label([c.form for c in COUNTRIES], company.country)
    return {
        "company": [f"{word} {form}" for word, form in zip(words, legal, strict=True)],
        "domain": _domains(leads),
        "industry": label([i.name for i in INDUSTRIES], company.industry).tolist(),
        "employees": whole(company.employees),
        "annual_revenue": whole(company.revenue, ","),
        "country": label([c.code for c in COUNTRIES], company.country).tolist(),
    }


def _firm_words(firm: Codes) -> list[str]:
    """An invented name a firm: its number, scattered, read as digits in syllables."""
    base = len(SYLLABLES)
    number = firm * 7919 % (base**3 * len(TRADES))  # a prime step: no two near firms alike
    digits = (number % base, number // base % base, number // base**2 % base)
    first, second, third = (label(SYLLABLES, digit) for digit in digits)
    trade = label(TRADES, number // base**3)
    return [
        f"{a.title()}{b}{c} {d}" for a, b, c, d in zip(first, second, third, trade, strict=True)
    ]


def _domains(leads: Leads) -> list[str]:
    words = _firm_words(leads.company.firm)
    endings = label([c.domain for c in COUNTRIES], leads.company.country)
    return [
        f"{word.lower().replace(' ', '-')}.{end}" for word, end in zip(words, endings, strict=True)
    ]


def _contact(settings: Settings, leads: Leads) -> Table:
    contact = leads.contact
    first, last = label(FIRST_NAMES, contact.first), label(LAST_NAMES, contact.last)
    return {
        "first_name": first.tolist(),
        "last_name": last.tolist(),
        "email": _mails(settings, leads),
        "phone": _phones(settings, leads),
        "job_title": label(TITLES, contact.title).tolist(),
        "seniority": label(SENIORITY, contact.seniority).tolist(),
    }


def _mails(settings: Settings, leads: Leads) -> list[str]:
    """Addresses at the firm, or numbered ones at a free provider."""
    rng, contact = settings.stream("mails"), leads.contact
    first = label([name.lower().translate(PLAIN) for name in FIRST_NAMES], contact.first)
    last = label([name.lower().translate(PLAIN) for name in LAST_NAMES], contact.last)
    number = label([f"{n}@" for n in range(10, 100)], rng.integers(0, 90, len(first)))
    free = number + label(FREE_MAIL, rng.integers(0, len(FREE_MAIL), len(first)))
    firm = "@" + np.array(_domains(leads), dtype=object)
    addresses = first + "." + last + np.where(contact.mail == FREE, free, firm)
    return _blank(addresses, contact.mail < 0)


def _phones(settings: Settings, leads: Leads) -> list[str]:
    """Mobile numbers in international or national writing."""
    country, kind = leads.company.country, leads.contact.phone
    tail = settings.stream("phones").integers(0, 10**8, len(country))
    digits = np.array([c.digits for c in COUNTRIES])[country]
    line = [f"{t % 10**d:0{d}d}" for t, d in zip(tail.tolist(), digits.tolist(), strict=True)]
    abroad = label([c.dial + c.mobile for c in COUNTRIES], country)
    home = label([f"{c.trunk}{c.mobile} " for c in COUNTRIES], country)
    return _blank(np.where(kind == NATIONAL, home, abroad) + np.array(line, object), kind < 0)


def _blank(texts: Texts, hidden: Mask) -> list[str]:
    return list(np.where(hidden, "", texts).tolist())


def _request(leads: Leads) -> Table:
    request = leads.request
    return {
        "products": label(PRODUCT_SETS, request.products).tolist(),
        "budget": label(BUDGETS, request.budget).tolist(),
        "timeline": label(TIMELINES, request.timeline).tolist(),
        "message": label(MESSAGES, request.message).tolist(),
        "form_type": label(FORMS, request.form).tolist(),
        "consent_marketing": label(YES_NO, request.consent).tolist(),
    }


def _behaviour(settings: Settings, leads: Leads) -> Table:
    """Engagement, and the idle columns that every CRM drags along."""
    seen, size = leads.engagement, len(leads.engagement.emails)
    printed = settings.stream("print").random(size) < 0.001
    day = leads.arrivals.created.astype("datetime64[D]")
    gap = minutes(np.nan_to_num(seen.last_visit)).astype("m8[D]")
    last = np.where(np.isnan(seen.last_visit), np.datetime64("NaT", "D"), day - gap)
    return {
        "visits": whole(seen.visits),
        "pages": whole(seen.pages),
        "minutes_on_site": ["" if m != m else f"{m:.1f}" for m in seen.minutes.tolist()],
        "last_visit": stamp(last),
        "emails_opened": whole(seen.emails),
        "downloads": whole(seen.downloads),
        "webinar_attended": label(YES_NO, seen.webinar).tolist(),
        "device": label(DEVICES, seen.device).tolist(),
        "language": label([c.language for c in COUNTRIES], leads.company.country).tolist(),
        "newsletter_print": label(YES_NO, np.where(printed, 0, 1)).tolist(),
        "crm_region": ["EMEA"] * size,
        "fax": [""] * size,
    }
