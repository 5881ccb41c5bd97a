"""The words that exports use for outcomes, and for the columns that hold the roles of a lead.

Lists of what firms write, in the languages met most; `init` proposes by them and a human decides.
Names and values are compared as `spoken` gives them: small letters, no accents, single spaces.
"""

from __future__ import annotations

import re
import unicodedata

from features.agreement import Disposition
from features.cells import key_of

# Read in this order: the first that fits gives the disposition. A word may go on (`cancel` is
# `cancelled` too) unless it is closed by \b or $.
_MEANINGS: tuple[tuple[Disposition, str], ...] = (
    ("won", r"^(closed )?won\b"),
    (
        "lost",
        r"(closed )?lost|verloren|perdu|perdid[ao]|perdut[ao]|pers[ao]\b|przegran|stracon|tabt",
    ),
    (
        "in_contract",
        r"(in|under|has|have|existing|bound|competitor s?) ?(a )?contract"
        r"|(with|at|by|uses?|has) (a )?competitor"
        r"|vertragsgebunden|bestandsvertrag|sous contrat|con contrato",
    ),
    (
        "unreachable",
        r"no (answer|response|reply|contact\b|show)|not (answered|reached|reachable)|unreachable"
        r"|voice ?mail|ringing|switched off|bounced|wrong number"
        r"|invalid (number|e ?mail)|bad (data|number)"
        r"|nicht erreich|unerreichbar|injoignable|pas de reponse|sin respuesta|no contesta"
        r"|non risponde|sem resposta|nao atende|geen gehoor|onbereikbaar|niet bereik",
    ),
    (
        "not_ready",
        r"not (yet|ready|now)\b|nurtur|later|postpone|on hold|recycle|future"
        r"|no budget|delayed|follow|bad timing|call ?back|spater|zuruckgestellt|wiedervorlage"
        r"|pas encore|plus tard|a rappeler|aplazad|mas adelante|rimandat|adiad|odłozon|uitgesteld",
    ),
    (
        "unqualified",
        r"disqual|unqual|not qual|not (a )?(fit|relevant|interested|eligible)"
        r"|no (longer )?(fit|interest)|uninterest"
        r"|spam|junk|trash|duplicate|fake|invalid|ineligible|rejected lead|bad (lead|fit)"
        r"|do not (call|contact)|dnc\b|opt(ed)? ?out|unqualifiziert|ungeeignet"
        r"|nicht (qualif|interess|geeignet)"
        r"|kein (interesse|bedarf)|(non|pas) (qualifi|interess)|hors cible|des[cq]ualific"
        r"|descalific|(no|nao) (cualific|calific|qualific|interesad|interessad)"
        r"|geen interesse|niezainteresowan|niet (gekwalif|geinteress)",
    ),
    (
        "lost",
        r"loss|lose\b|dead\b|declin|reject|cancel|fail|churn|no sale|(not|non) (convert|won|sold)"
        r"|unconverted|unsold|not bought|closed no\b|unsuccess|abandon|no deal|withdrawn|expired"
        r"|abgelehnt|absage|nicht (gewonnen|verkauft|abgeschlossen)|kein (abschluss|auftrag|kauf)"
        r"|refus|sans suite|rechazad|descartad|perdeu|rifiutat|annullat|verlies|afgewezen"
        r"|niet gewonnen|geannuleerd|odrzucon|forlorad",
    ),
    (
        # Steps on the way, before a word in them is taken for the end of it.
        "open",
        r"proposal|negotiat|negocia|in progress|working|pending|qualifi|accepted (by|lead)"
        r"|sales accepted|prospect|engaging|demo\b|quote",
    ),
    (
        "won",
        r"(won|converted|sold|bought|purchased|subscribed|enrol+ed)\b"
        r"|successful|closed (yes|deal|sale)|(contract|deal|offer|sale) (signed|closed|accepted)"
        r"|gewonnen|abgeschlossen|verkauft|beauftragt|unterschrieben"
        r"|gagn|vendu|converti|ganad|vendid|vint[oa]\b|ganh[oa]\b|verkocht|wygran|sprzedan|vun[nd]",
    ),
    (
        "open",
        r"open|new|working|progress|pending|engag|contacted|assigned|in work|stage"
        r"|opportunit|interested|trial|meeting|attempt|active|[ms]ql\b|sal\b|offen|neu|bearbeit"
        r"|angebot|en cours|en attente|nouveau|abiert|nuev|en (curso|proceso)|pendiente"
        r"|apert|in (corso|lavorazione)|nuov|abert|nov[oa]\b|em andamento|nieuw|lopend"
        r"|in behandeling|process|scheduled|otwart|now[yae]\b|w toku",
    ),
)
# Alone they mean won; in a longer value (`client meeting`, `paid search`) they mean nothing.
_WON_ALONE = re.compile(
    r"(new |became (a )?|now (a )?)?(customer|client|cliente|kunde|klant|klient)"
    r"|(a )?(deal|sale|win|success|order|purchase|conversion|subscription)"
    r"|ordered|paid|signed|accepted|approved|admitted|booked|bound|funded|enrol+ment|responded"
)
# Where another value says lost or unqualified, these are what is left for won.
_WON_BESIDE_LOST = re.compile(
    r"closed|completed?|qualified|finished|geschlossen|cerrad[ao]|fechad[ao]|chius[ao]|cloture|gesloten"
)
_YES = {"1", "yes", "y", "true", "t", "success", "positive"}
_YES |= {"ja", "j", "oui", "o", "si", "sí", "s", "sim", "vero", "da", "tak"}
_NO = {"0", "-1", "no", "n", "false", "f", "failure", "negative"}
_NO |= {"nein", "non", "não", "nao", "falso", "nie", "nee"}

# As `spoken` gives a column's name; matched whole, best first.
OUTCOME_NAMES = (
    r"(is )?(won|converted|conversion|convert)",
    r"((lead|deal|opportunity|sales?|closed?|final) ?)?(outcome|disposition|result)",
    r"(deal|opportunity|sales?|pipeline|opp) ?(stage|status)",
    r"(lead ?)?(status|stage)",
    r"(loan|policy|application|admission|enrol+ment|customer|client|quote|booking) ?(status|stage)",
    r"(is )?(purchased?|subscribed|subscription|bought|sold|sale|order(ed)?|enrol+ed|responded"
    r"|response|win|success|customer|client)",
    r"target|label|y|class|churn",
    r"(lead ?)?(ergebnis|abschluss|gewonnen|verkauft|statut|resultat|resultado|resultaat|estado"
    r"|situacao|esito|stato|etapa|phase|fase|wynik)",
    r"(gekauft|kunde|kunde geworden|comprado|comprou|achete|acquistato|gekocht|klant|cliente"
    r"|(convert|vend|gan)(id|ad|ut)?[oa])",
)
CREATED_NAMES = (
    r"(lead |deal |contact |record )?(created?|creation)"
    r"( ?(at|on|date|time|datetime|timestamp|ts))*",
    r"(date )?(created|received|entered|submitted|registered|registration|inquiry|enquiry|engaged?"
    r"|opened|added|sign ?up|quote)( ?(at|on|date|time|timestamp))*",
    r"(date|time|timestamp|datetime|lead date|engage date|first (seen|touch|contact)( at| date)?)",
    r"(erstell|angelegt|eingang|anlage|aanmaak|aangemaakt).*",
    r".*(creacion|creation|criacao|creazione|alta|entrada|utworzenia).*",
    r"(fecha|date|data|datum)( .*)?",
)
CLOSED_NAMES = (
    r"(deal |lead |opportunity )?(close|closed|closing)( ?(at|on|date|time|datetime|timestamp))*",
    r"(date )?(closed|won|converted|conversion|decided|outcome|decision|resolved|ended)"
    r"( ?(at|on|date|time))*",
    r"became a customer( date)?",
    r"(.* )?(abgeschlossen|abschluss|geschlossen|schluss|cierre|cloture|chiusura|fechamento|sluit"
    r"|zamkniecia)(datum|( .*)?)",
)
# A date by such a name says when something else happened than the lead's arrival.
OTHER_DATES = re.compile(
    r"last|latest|recent|modif|updat|birth|next|expected|due|geburt|geboorte|nacimiento|naissance"
    r"|nascita|nascimento|letzt|laatst|dernier|ultim|geandert|gewijzigd"
)
# Numbers by such a name tell nothing of the order of leads, nor one lead from another.
_OTHER_NUMBER = (
    r"(?!.*(contact|whats ?app|account|tax|vat|card|house|ruf|fax|mobil|haus|konto|steuer))"
)
ID_NAMES = (
    r"((lead|prospect|contact|opportunity|deal|record|customer|client|account|ad) ?)?"
    r"(id|uuid|guid|key)",
    r"(.* )?id( .*)?|[a-z]+(id|uuid|guid)",
    r"((lead|prospect|opportunity|deal|record) ?)?(number|no|nr|nummer|num)",
    _OTHER_NUMBER + r"((.* )?(number|no|nr|num|numero|numer)|[a-z]+(nummer|nr)|numer .*)",
    r"(.* )?(ref|reference|code|codice|codigo|folio|identifiant|identificador|kennung)",
)
SERIAL_NAMES = (
    _OTHER_NUMBER
    + r"((.* )?(number|serial|sequence|seq|num|no|nr|numero|numer)|[a-z]*(nummer|number|nr))",
)
CAMPAIGN_NAMES = (r".*campaign.*", r".*(kampagne|campagne|campana|campanha).*")
SOURCE_NAMES = (
    r"((lead|original|traffic|utm) ?)?source",
    r"((lead|original|traffic|utm) ?)?(channel|medium|origin)",
    r".*(source|channel|quelle|kanal|fuente|canal|origen|origem|herkunft|fonte|bron\b).*",
)
VALUE_NAMES = (
    r"(deal|opportunity|close|order|contract|sale|sales) ?(value|amount|revenue|size|price)",
    r"(amount|value|revenue|betrag|umsatz|auftragswert|importe|montant|valor|importo|bedrag)",
)
CALLED_NAMES = (
    r"((lead|customer|client) ?)?(company|account|organi[sz]ation|firm|business|employer)( ?name)?",
    r"(firma|unternehmen|firmenname|entreprise|societe|empresa|azienda|bedrijf)",
)
PERSONAL_NAMES = re.compile(
    r"((.* )?(first|last|full|given|family|sur|middle|contact|customer|cust|client|lead|person)"
    r" ?name|contact person|ansprechpartner"
    r"|name|(opportunity|deal) ?(name|title)"
    r"|(.* )?(vor|nach|vor und nach)name|surname|prenom|nom|nombre|apellidos?|cognome|nome"
    r"|sobrenome|voornaam|achternaam|naam|imie|nazwisko"
    r"|((street|home|postal|billing) ?)?address( ?\d)?|street|strasse|adresse|direccion|endereco"
    r"|indirizzo|adres|ip( ?address)?|linkedin.*|twitter|facebook( (url|profile))?|skype)"
)
PERSONAL_NUMBERS = re.compile(
    r"(date of birth|birth ?(date|day)|dob|geburtsdatum|iban|passport|ssn"
    r"|(ssn|passport|tax|patient|national insurance|social security|driver s? licen[cs]e|id card"
    r"|national|credit card|bank account)( (no|nr|num|number|id|code))+"
    r"|personnummer|steuer ?(id|nummer)|personalausweis\w*|codice fiscale|dni|nif|bsn|pesel)"
)
"""Names of numbers by which a person is known, whatever kind they look like."""
PROTECTED_NAMES = re.compile(
    r"\b(religion|ethnic\w*|race|disabilit\w*|health|sexual\w*|politic\w*|union|caste)\b"
)

# In many uses the law forbids to judge by these: sex, gender, nationality.
RESTRICTED_NAMES = re.compile(
    r"\b(gender|sex|geschlecht|sexe|sexo|sesso|genero|genere|geslacht|plec"
    r"|nationalit\w*|nacionalidade?|nazionalita|narodowosc|citizenship|staatsangehorigkeit)\b"
)


def spoken(text: str) -> str:
    """Return a name or value as one would say it: `hs_lead_status`, `Lead-Status`: lead status."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", re.sub(r"__c$|^hs_", "", text))
    plain = unicodedata.normalize("NFKD", parted.casefold())
    words = re.sub(r"[\W_]+", " ", "".join(c for c in plain if not unicodedata.combining(c)))
    # Some CRMs put the name of the object before that of the field: `Deal - Deal created`.
    return re.sub(r"\b(\w+) \1\b", r"\1", words.strip())


def meaning_of(value: str) -> Disposition | None:
    """Return the disposition that an outcome value most likely means, or None."""
    key = key_of(value)
    if key in _YES:
        return "won"
    if key in _NO:
        return "lost"
    said = spoken(value)
    if _WON_ALONE.fullmatch(said):
        return "won"
    for disposition, words in _MEANINGS:
        if re.search(rf"\b({words})", said):
            return disposition
    return None


def is_plain_yes_or_no(value: str) -> bool:
    """Whether a value answers any question, so that it does not tell an outcome by itself."""
    return key_of(value) in _YES | _NO


def is_won_beside_lost(value: str) -> bool:
    """Whether a value such as `Closed` means won where other values say lost."""
    return _WON_BESIDE_LOST.fullmatch(spoken(value)) is not None


def name_rank(name: str, patterns: tuple[str, ...]) -> int | None:
    """Return which of the patterns, best first, a column's name fits; None if it fits none."""
    said = spoken(name)
    return next((i for i, p in enumerate(patterns) if re.fullmatch(p, said)), None)
