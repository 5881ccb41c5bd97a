"""What the name of a field says about when it is written.

The lists hold what CRMs and sales teams call their fields, gathered from public schemas and exports
of Salesforce, HubSpot, Pipedrive, Zoho, Odoo and Bitrix24, and of call, loan, quote, enrolment and
booking data. A name alone convicts nobody: `leaks` asks for evidence beside it.
Names are compared as `spoken` gives them: small letters, no accents, single spaces.
"""

from __future__ import annotations

import re
from typing import Literal

from training.outcome_words import spoken

Hint = Literal["ending", "worked", "noted", "offered", "scored", "other_score", "assigned", ""]
"""When a field of such a name is written.

ending: when the lead is decided; worked: while sales works it; noted: so too, or it is what the
lead said itself; offered: with an offer or a quote, which may also be what the lead came with;
scored: by a system that watches the lead; other_score: by some other system; assigned: when
somebody is put in charge.
"""

# Some CRMs put the object before the field: in `Deal - Channel` the deal tells nothing.
_OBJECT = re.compile(r"(?i)^(deal|lead|person|organi[sz]ation|contact|company|account) - ")

_HAPPENED = (
    r"(done|date|time|status|set|show(n|ed)?|held|kept|made|scheduled|booked|completed|count)"
)
_MOVED = r"(lead|deal|opportunity|contact|prospect|sales?|pipeline|call|order|application|proposal"
_MOVED += (
    r"|appointment|booking|reservation|enrol\w*|customer|churn|current|final|project|quote|loan"
)
_MOVED += r"|follow ?ups?|docusign|payment|policy|last|disposition)"
_LAST = r"(last|latest|recent|letzte[rsn]?|ultim[ao]|dernier|derniere|laatste)"
_TOUCH = r"(notable )?(activity|contact(ed)?|modified|modification|action|touch\w*|call(ed)?"
_TOUCH += r"|updated?|change"
_TOUCH += r"|interaction|stage( (change|update))?|transfer\w*|viewed|follow ?up|engagement"
_TOUCH += r"|meeting|attempt|conversation"
_TOUCH += (
    r"|(e ?)?mail (sent|received)|credit pull|fico|aktivitat|kontakt\w*|anruf|actividad|contacto"
)
_TOUCH += r"|llamada|atividade|contato|attivita|contatto|activite|activiteit)"
_COUNTED = (
    r"(calls?|contacts?|touch(es|points?)?|meetings?|attempts?|activities|chats?|interactions?"
)
_COUNTED += (
    r"|follow ?ups?|demos?|(e ?)?mails? (sent|messages)|messages sent|llamadas|relances|appels"
)
_COUNTED += r"|anrufe)"

_ENDING = (
    r"clos(e|ed|ing|ure)( ?date)?|won|lost|(changed?|close) ?date|recogni[sz]ed \w+",
    r"expected (arr|mrr|value)|became (a |an )?\w+( date)?",
    r"(win|loss|lose|churn|exit|termination|dead|junk|cancel\w*|status|stage) (reason|date"
    r"|category)",
    r"reason (for |of )?(\w+ )?(loss|losing|churn|cancel\w*|rejection|not \w+|disqual\w*)",
    r"churn (score|label|flag|value)|(dis|un)qualif\w+|reject(ed|ion)( \w+)?|declined|withdrawn",
    r"cancel(l?ed|lation)?( (date|reason|flag|time|at|on))?",
    r"(is |lead |total |days to )?convert(ed)?( .*)?",
    r"(total|lead|is|days to|time to) conversions?( time)?",
    r"(mql|sql|sal|sao|sqo|opportunity|customer|qualified|demo|proposal|negotiation"
    r"|trial)( (date|at|on))",
    r"conversions?|enrol(l?ed|l?ment)( (date|status|fee|number|id|at|on))?",
    r"contracts? (signed|sent|date|start|end|until|value|amount|number|no|id|status"
    r"|verified)( (date|at|on|by))?",
    r"(signed|sent) contract|docu ?signed?|signed( (date|at|on))?|invoiced?( .*)?",
    r"(down |second |setup )?payments? (date|received|status|made|amount|verified|done)( \w+)*",
    r"(amount|token|deposit|fee|commission|balance|total) (paid|received)",
    r"paid (date|amount|on|at|total|principal|interest|fees?|late \w+)|is paid"
    r"|\w* ?pymnt\w*( \w+)*|(\w+ )*(prncp|recoveries)( \w+)?",
    r"recovery fee|settlement \w+|hardship \w+|sold( .*)?|sale (date|amount|value|completed)",
    r"(.* )?(accepted|approved|issued|activat(ed|ion)|delivered|funded|granted) (date|at|on|flag)",
    r"(n|no|nr|numero|fecha|date|data|importe|montant|importo|valor) (de |da |do |della |du )?"
    r"(factura|facture|fattura|fatura)|factuur(nummer|datum|bedrag)?|issued( .*)?",
    r"provision|provvigion[ei]|comision|comissao"
    r"|(fecha|data|date) (de |d )?activa\w+|(gross )?margin",
    r"(order|purchase) (date|number|no|value|id)|booking (amount|date|status|value|changes?)",
    r"booked( .*)?|reservation status( date)?|disburs\w+( (date|amount|flag|status|at|on))?"
    r"|sanction\w+( .*)?",
    r"approv(ed|al)( (date|amount|status|at|on))?|admit(ted)?( date)?|admission decision",
    r"decision( (date|made))?|deposit (date|amount|paid)( date)?",
    r"install(ed|ation)?( (date|status))|hand ?over( date)?",
    r"policy (number|issued|bound|start)( date)?|(deal )?probability( .*)?|win probability",
    r"forecast( .*)?|weighted (amount|value|revenue)",
    r"(expected|prorated) (revenue|clos\w+)( date)?|final (amount|value|price|decision|status)",
    r"abschluss\w*|absagen?|absage grund|(verlust|absage|ablehnungs)grund",
    r"auftrags(nummer|datum|wert)|rechnungs?\w*|(auftrags|abschluss)wahrscheinlichkeit|gewonnen",
    r"verloren|unterschrieben|vertrags(datum|beginn|start|nummer|nr|abschluss|wert)",
    r"(fecha|data|date|datum|motivo|motif|raison|razon|reden) (de |da |del |di "
    r"|van )?(la )?(cierre|perdida|perda|perte|cloture|fechamento|chiusura|sluiting|verlies"
    r"|rechazo|venta|refus)",
)  # fmt: skip
_NOTED = (
    r"(lead|sales|prospect|contact) (quality|temperature|rating|profile|interest|heat|priority)",
    r"tags?|labels?|notes?|remarks?|comments?|bemerkung(en)?|notiz(en)?|observaciones|observacoes"
    r"|anotacoes|comentarios|commentaires|opmerkingen|osservazioni|note",
    r"status( (id|name|date|reason))?|statut( .*)?|stato|situacao|estado|reasons?|grund|motivo"
    r"|motif|raison|reden|outcome|result|ergebnis|resultado|resultat|esito|stage|phase|fase|etapa"
    r"|etape|quality|rating|rated|temperature|duration|feedback|nps|csat|satisfaction"
    r"|reached|visited|erreicht|bereikt|contactad[ao]|contatad[ao]|contattat[ao]|(phone ?)?calls?"
    r"|meetings?|satisfaction (score|rating)|interest level"
    r"|dauer|duree|duracion|duracao|durata",
)
_WORKED = (
    r"(sales|call|lead|agent|internal|rep|manager|staff|next \w+) (tags?|labels?|notes?"
    r"|remarks?|comments?)",
    r"(\w+ )*(stage|phase)( name| id| idx| index| change count| changes?)?|reached( \w+)?",
    r"(stage )?entered \w+|(sales |deal )?cycle (days|length|time)",
    r"date (open|opened|assigned|deadline)|verkaufsphase|(etapa|fase|etape) (de|del|do|da|du) .*",
    rf"(.* )?(date|time) entered .*|{_MOVED} status( .*)?|estado (actual|de|del|do|da) .*",
    r"(call|lead|contact|sales|final) (outcome|result)|(call )?disposition( code)?",
    r"(\w+ )?behaviou?r profile|hot lead",
    r"(is |sales |days |through |to )*(qualified|validated|accepted)( (date|at|on|by|lead))?",
    rf"(.* )?{_LAST} {_TOUCH}( (date|time|datetime|at|on|by|type|d|high|low|range \w+|range))*",
    r"(last )?(modified|updated|changed?)( (on|at|date|time|by))?|update time",
    r"next (steps?|action|activity|follow ?up|call|contact|task|meeting|pymnt)( .*)?",
    r"(.* )?follow ?ups?( .*)?|relances?|wiedervorlage\w*|seguimientos?",
    r"(call ?back|reminder)( .*)?",
    rf"(phone )?calls? (minutes|seconds|length|{_HAPPENED}|duration|outcome|result|attempts?"
    rf"|start|end|connected|answered|last \d+ days|made)",
    rf"(.* )?(number|no|num|nr|nb|count|total|numero|nombre|anzahl) (of |de "
    rf"|der )?(times )?(sales )?{_COUNTED}",
    rf"{_COUNTED} (count|made)|(done|total|completed|open|sales|number of) activities",
    r"activities (done|to do)|(number of )?times contacted|num touches|times called",
    r"(e ?)?mails? (sent|exchanged)|set date|follow ?up due( at)?",
    r"(.* )?(call|talk|pitch|meeting|conversation|demo|gesprachs?) ?(duration|dauer|time"
    r"|length|minutes)",
    r"duration of (the )?(call|pitch|conversation|meeting|last contact)( (sec\w*|min\w*|s))?",
    r"(duree|duracion|dauer|duracao|durata) .*|gesprachsdauer",
    rf"(appointment|interview|test drive|site visit|campus visit|viewing"
    rf"|consultation) {_HAPPENED}( .*)?",
    r"meetings? .*|demos?( (date|held|done|given|scheduled|status|completed|attended))?",
    r"test drive|site visits?|campus visits?|site survey( .*)?",
    r"visit (done|date|status|scheduled|completed)",
    r"counsell?(or|ing) (calls?|sessions?|done|date)|interview score|erstgesprach",
    r"abschlussgesprach|(call|demo|meeting|customer) satisfaction( (score|rating))?"
    r"|pitch satisfaction.*|(customer |sales |agent |lead )feedback",
    r"product pitched|objections?|negotiation( .*)?|trade apprais\w+",
    r"application (submitted|status|completed)( date)?",
    r"respon(ded|se time|se received|d time|se days)( .*)?|repl(y|ied)( .*)?",
    r"contacted( .*)?|(contact|call|response) (date time|time|date)|first (call|response) .*",
    r"(documents?|docs|documentac\w+|documentazione|unterlagen)"
    r" (collected|received|complete|sent|erhalten|(enviad|recibid|recebid|inviat|ricevut)[ao]s?)",
    r"(last )?stage (update|change)( date)?|days to (?!departure|arrival|event|travel|move).*",
    r"time to (first )?\w+|speed to lead|elapsed (days|time).*",
    r"(offene tage|tage offen|dias (abiert[oa]s?|em aberto|en curso)|jours ouverts|giorni aperti"
    r"|dagen open)",
    r"(antwort|reaktions|reactie)(zeit|dauer|tijd)|(tiempo|tempo|dias|temps|delai) (de |di )?"
    r"(respuesta|resposta|reponse|risposta)|(reply|response|answer) (delay|days|hours)",
    r"(customer|client) portal( \w+)*|portal login|kundenportal\w*|portail client"
    r"|portal (de |do |del )?clientes?|(stage|status) history|historial de .*|verlauf|historique"
    r"|storico",
    r"(ratio |total |elapsed |number of )*days (in|open|since (contact|call|stage)|identified"
    r"|validated|qualified)( .*)?",
    r"(is )?un(worked|read).*|contact unworked|(open|overdue) (activity|task)|permit .*|ntp date",
    r"lead age|opportunit(y|ies) (id|stage|status|created|count)|number of associated deals",
    r"associated deals?|(recent|first) deal .*|deal (amount|value) won|time in (stage|status)( .*)?"
    r"|statut .*",
    r"(sales|outbound|rep|agent|sdr|csm|success|support|service) (calls?|touch\w*|tickets?)( .*)?",
    r"converted (opportunity|account|deal|contact)( id)?|total revenue|deal gross",
    r"stock number sold|commission( .*)?|orientation .*|financial aid awarded|assigned room type",
)  # fmt: skip
_OFFERED = (
    r"(.* )?(quotes?|quoted|quotations?|proposals?|offers?|angebote?|angebots\w+|devis"
    r"|cotizacion|propuesta|proposta|preventivo|offerte)( .*)?",
    r"contract|deposit|payments?|paid|samples?|(discounts?|rebates?)( (given|amount|offered|rate"
    r"|percent|pct))?|rabatt\w*|nachlass|descuento|desconto|remise|sconto|korting",
)  # fmt: skip
_SCORE = r"(score|scoring|index|grade|rank|propensity|points)"
_WATCHED = (
    r"(activity|engagement|profile|lead|quality|intent|behaviou?r|health|interest|hub ?spot|pardot"
)
_WATCHED += r"|marketo|ai|predictive|conversion|win|einstein|salesforce|heat)"
_SCORED = (
    rf"(.* )?{_WATCHED} {_SCORE}( .*)?|propensity.*|conversion probability|ai \w+",
    r"confidence( score)?|(pontuacao|puntuacion|punteggio|score) (ai|ia|ki|(do|del|du|de) lead)",
)  # fmt: skip
_OTHER_SCORE = (
    rf"(.* )?{_SCORE}( .*)?|punkt(wert|zahl|e|estand)|pontuacao|puntuacion|puntaje|punteggio",
)  # fmt: skip
_SELLER = r"(agente?s?|berater|betreuer|verkaufer|sachbearbeiter|vendedor|asesor|gestor|corretor"
_SELLER += r"|venditore|consulente|commercial|vendeur|conseiller|verkoper|adviseur|handlowiec"
_SELLER += r"|consultant|counsell?or|advis[oe]r|closer|setter|[sb]dr|csr|rm|technician"
_SELLER += r"|relationship manager|telecaller|caller)"
_ASSIGNED = (
    r"((record|contact|lead|deal|account|opportunity) )?owner( .*)?|assignee|assigned .*",
    r"rep( \d)?|sales ?(rep\w*|agent|person|man|owner|executive)( .*)?",
    r"account (manager|executive)|(lead )?priority",
    rf"{_SELLER}( (name|id|code|assigned|in charge))?",
    r"(person |team |group )?(responsible|in charge)( (person|team|group|user))?|zustandig\w*"
    r"|bearbeiter\w*|verantwortlich\w*|responsable|responsavel|responsabile|verantwoordelijke?",
)  # fmt: skip
# A person's standing, what happened before this lead, or what it did on the site itself.
_KNOWN_BEFORE = re.compile(
    r"\b(marital|civil|family|employ\w*|occupation|housing|home|citizen\w*|residen\w*|credit"
    r"|education\w*"
    r"|verification|smok\w*|health (condition|insurance)|school|exam|test (score|result)|sat"
    r"|gpa|waiting|membership|life ?stage|growth stage"
    r"|funding stage|company stage|prev(ious)?(ly)?|prior|past|earlier"
    r"|before|accounts|elsewhere|do not|opt(ed)?|consent|request(ed|s)?|wanted|wished|desired"
    r"|preferred|best time"
    r"|wunsch\w*|gewunscht\w*|bevorzugt\w*|souhait\w*|demande|dese[aj]ad\w*|solicit\w*"
    r"|preferid\w*|preferit\w*|pretendid\w*|richiest\w*|gewenst\w*|aanvraag"
    r"|(first|recent) conversion|(e ?)?mail quality|type ?of contact"
    r"|(contact|call) (day|month|year|weekday|hour)|(day|month|weekday) of|service calls"
    r"|(day|eve|evening|night|intl|international) (calls?|minutes|charge)|customer type"
    r"|(page|visit|session|website|product related|administrative|informational|loan|trip|stay"
    r"|course)"
    r" duration|how did|what|which)\b"
)
_HINTS: tuple[tuple[Hint, tuple[str, ...]], ...] = (
    ("scored", _SCORED),
    ("ending", _ENDING),
    ("worked", _WORKED),
    ("noted", _NOTED),
    ("offered", _OFFERED),
    ("assigned", _ASSIGNED),
    ("other_score", _OTHER_SCORE),
)
_COMPILED = tuple((hint, re.compile("|".join(f"(?:{p})" for p in parts))) for hint, parts in _HINTS)
# What sales does, and what is written once it is done: both in one name tell that it was done.
_ACT = re.compile(
    r"\b(calls?|demos?|pitch|appointments?|appts?|follow ups?|kyc|thank you|inspections?"
    r"|consultations?|anruf\w*|telefonat\w*|gesprach\w*|termine?|nachfass\w*|angebot"
    r"|llamadas?|citas?|correos?|courriels?|reunion(es)?|seguimientos?|cotizacion"
    r"|gestion(es)?|appels?|rendez vous|rdv"
    r"|relances?|devis|entretiens?|ligac(ao|oes)|chamadas?|reuni(ao|oes)|propostas?"
    r"|chiamat[ae]|telefonat[ae]|appuntament[oi]|incontr[oi]|sopralluogh?[oi]|preventiv[oi]"
    r"|telefoontjes|gesprek\w*|afspra\w*|offertes?)\b"
)
_DONE = re.compile(
    r"^(n|no|nr|nb|num|number|numero|nombre|quantidade|quantita|cantidad|anzahl|aantal)\b"
    r"|\b(completed|held|done|attended|made|logged|conducted|received|signed|attempts?|tries"
    r"|outcome|result|count|notes?|remarks?|minutes|seconds|\w*versuche|ergebnis|erreicht|versendet"
    r"|verschickt|gesendet|durchgefuhrt|stattgefunden|vereinbart|gefuhrt|intentos|resultado"
    r"|tentatives?|resultat|tentativas?|esito|tentativi|pogingen|resultaat|gevoerd|verstuurd"
    r"|verzonden|gedaan|ingepland|(realizad|enviad|agendad|completad|hech|feit|effettuat|inviat"
    r"|fissat|fatt)[aeios]+|(realise|effectue|envoye|fixe|signe)e?s?)\b"
)
# An ending may stand anywhere in a name; the other words must be all that the name says.
_CLOSED_ANYWHERE = re.compile(
    r"\b(clos(e|ed|ing|ure)|lost|won|disqualif\w+|unterschrieben|invoiced?|enrolled|converted)\b"
)


# How makers of CRMs shorten the words of a field's name; what may mean two things is not here.
_SHORT = {
    "act": "activity", "amt": "amount", "appt": "appointment", "clsd": "closed", "cmt": "comment",
    "cmts": "comments", "cmnt": "comment", "cnt": "count", "cntct": "contact", "conv": "conversion",
    "cust": "customer", "descr": "description", "disp": "disposition", "dt": "date",
    "dur": "duration", "fup": "follow up", "hist": "history", "hst": "history", "lst": "last",
    "mod": "modified", "mtg": "meeting", "mtgs": "meetings", "nts": "notes", "opp": "opportunity",
    "oppty": "opportunity", "ownr": "owner", "pmt": "payment", "pymt": "payment", "prob":
    "probability", "qte": "quote", "rmk": "remark", "rmks": "remarks", "rsn": "reason",
    "rsp": "response", "scr": "score", "stg": "stage", "tch": "touch", "tchs": "touches",
    "upd": "updated",
}  # fmt: skip
_UNIT = re.compile(r" (c|sec|secs|sek|min|mins|hrs|h|eur|usd|gbp|inr)$")


def plain(name: str) -> str:
    """Return a field's name as one would say it, words in full.

    The object that some CRMs put before is left out.
    """
    apart = re.sub(r"(?i)\b([dl])[’'`]", r"\1 ", name)
    said = spoken(_OBJECT.sub("", re.sub(r"[’'`]", "", apart)))
    return " ".join(_SHORT.get(word, word) for word in said.split())


def hint_of(name: str) -> Hint:
    """Return what a field's name says about when it is written; empty where it says nothing."""
    said = re.sub(r"^(is|has|the) (?=\w+ \w)", "", _UNIT.sub("", plain(name)))
    if _KNOWN_BEFORE.search(said):
        return ""
    if _CLOSED_ANYWHERE.search(said):
        return "ending"
    hint: Hint = next((hint for hint, pattern in _COMPILED if pattern.fullmatch(said)), "")
    done = hint in ("", "noted", "offered") and _ACT.search(said) and _DONE.search(said)
    return "worked" if done else hint


def is_known_before(name: str) -> bool:
    """Whether a field's name says that it was so before the lead came, or is the lead's wish."""
    return _KNOWN_BEFORE.search(plain(name)) is not None


_PLANNED = re.compile(
    r"\b(desired|wanted|wished|preferred|planned|intended|requested|travel|departure|arrival"
    r"|check ?in"
    r"|check ?out|move|moving|wedding|event|course|term|semester|due|birth|geburt\w*|expir\w*"
    r"|renewal|fin|fine|scadenz\w*|vencimiento|vencimento|validade|echeance|ablauf\w*|prevu\w*"
    r"|previst[ao]|entrega|livraison|liefer\w*|start|einzug\w*|umzug\w*|reise\w*"
    r"|scheduled day|appointment day|availab\w*|wunsch\w*)\b"
)


def is_planned(name: str) -> bool:
    """Whether a field's name says that it is a date which the lead itself looks forward to."""
    return _PLANNED.search(plain(name)) is not None


_RENEWED = re.compile(
    r"\b(last|latest|recent|modif\w*|updat\w*|changed?|letzte\w*|laatste?|dernier\w*|ultim[ao]s?"
    r"|geandert|gewijzigd)\b"
)


def is_renewed(name: str) -> bool:
    """Whether a date's name says that it tells when something happened last."""
    return _RENEWED.search(plain(name)) is not None
