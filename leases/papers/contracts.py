"""The contract of a lease (*bail, contrat de résidence, sous-location*), drawn up from what is known.

One text for every kind of leases/kinds.py; its particular clauses stand in the text, where the
association edits them, its numbers come from the law at the day of signature. What is not known yet
is listed, in the contract too: it is a draft until then.
"""

from datetime import date

from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from core.documents import Paper, dated, letterhead, register
from core.law import NoRuleOn
from core.money import euros
from leases import kinds
from leases.kinds import KINDS
from leases.lease import Lease
from leases.occupancy import last_occupancies
from leases.papers.months import SAMPLE, TEXTS, item_label
from leases.papers.whom import day, eur, whom
from portfolio.labels import EnergyLabel
from portfolio.owners import TITLES, Holding

CONTRACT = "contract"

_DIAGNOSES = (
    "Dossier de diagnostic technique : DPE, constat de risque d'exposition au plomb, état des risques,"
    " état de l'installation électrique et de gaz, état amiante"
)
_ENTRY = "État des lieux d'entrée"
ANNEXES = {
    "L89_VIDE": (_DIAGNOSES, "Notice d'information (arrêté du 29 mai 2015)", _ENTRY, "Extraits du règlement de copropriété, le cas échéant"),
    "L89_MEUBLE": (_DIAGNOSES, "Notice d'information (arrêté du 29 mai 2015)", _ENTRY, "Inventaire et état détaillé du mobilier"),
    "CONV_APL": (_DIAGNOSES, _ENTRY, "Extrait de la convention APL", "Décompte de surface corrigée ou utile", "Règlement intérieur de l'immeuble"),
    "ANAH_CONV": (_DIAGNOSES, "Notice d'information (arrêté du 29 mai 2015)", _ENTRY, "Convention Anah"),
    "SUBLET_FREE": (_DIAGNOSES, _ENTRY, "Contrat principal, et accord écrit du propriétaire pour sous-louer", "Projet d'accompagnement"),
    "SUBLET_CONV": (_DIAGNOSES, _ENTRY, "Contrat principal", "Extrait de la convention APL", "Projet d'accompagnement"),
    "BAIL_GLISSANT": (_DIAGNOSES, _ENTRY, "Convention tripartite avec le propriétaire", "Extrait de la convention APL", "Projet d'accompagnement"),
    "RESIDENCE_SOCIALE": ("Règlement intérieur", "État des lieux et inventaire", "Tableau des éléments de la redevance", "Extrait de la convention APL-foyer"),
    "PENSION_FAMILLE": ("Règlement intérieur", "État des lieux et inventaire", "Tableau des éléments de la redevance", "Projet social de la pension de famille"),
    "ALT": (_ENTRY, "Règlement intérieur", "Projet d'accompagnement"),
    "CHRS": ("Règlement de fonctionnement", "Livret d'accueil", "Charte des droits et libertés de la personne accueillie", "Projet personnalisé"),
    "RHVS": ("Règlement intérieur", "État des lieux et inventaire"),
}  # fmt: skip
"""What is joined to a contract, by its kind."""

_UNITS = {"months": "mois", "years": "ans", "days": "jours"}
_CHARGES = {
    "provisions": "Les charges sont appelées par provisions et régularisées chaque année sur les dépenses réelles.",
    "flat": "Les charges sont forfaitaires : elles ne donnent lieu à aucune régularisation.",
    "included": "Les charges sont comprises dans la somme ci-dessus.",
}


def contract_letter(lease: Lease, *, on: date) -> dict:
    """The data of a lease's contract, as things stand on its first day or on a later day asked for."""
    day_of = max(on, lease.start) if lease.end is None else lease.start
    kind = KINDS[lease.kind]
    with override("fr"):
        head = letterhead()
        to = whom([lease.pk], day_of)[lease.pk]
        stay = last_occupancies([lease.pk], day_of).get(lease.pk)
        unit = stay.place.unit if stay else None
        holding = unit and Holding.objects.on(day_of).filter(unit=unit).select_related("owner").first()
        title = TITLES[holding.title] if holding else None
        terms = list(lease.terms.on(day_of).order_by("item"))
        label = unit and _label(unit, day_of)
        by = head.name
        if title and title.owners_book:
            by = f"{holding.owner.name}, représenté par {head.name}, mandataire"
        data = to.data(kind.french, dated(on, head)) | {
            "to": [],
            "signed": False,
            "kind": kind.code,
            "legal": f"Contrat soumis à : {kind.legal_ref.removesuffix('.')}.",
            "by": by,
            "head_address": ", ".join(head.address.splitlines()),
            "owner": holding.owner.name if holding else "………",
            "occupant_word": _occupant(kind),
            "unit": stay.place.reference if stay else "",
            "typology": unit.get_typology_display() if unit else "",
            "surface": f"{unit.living_surface:.2f} m²".replace(".", ",") if unit else "",
            "label": label or "",
            "use": "Habitation principale" if kind.benefits else "Hébergement temporaire",
            "start": day(lease.start),
            "duration": _duration(lease, kind, holding),
            "money_title": str(kind.amount_due).capitalize(),
            "lines": [
                {"label": item_label(term.item, to), "detail": "", "amount": eur(term.amount)}
                for term in terms
            ],
            "total": eur(sum((term.amount for term in terms), euros(0))),
            "billing": "d'avance" if lease.billing == Lease.Billing.IN_ADVANCE else "à terme échu",
            "due_day": str(lease.due_day),
            "charges_words": _CHARGES[kind.charges[0]],
            "revision": _revision(kind),
            "deposit_words": _deposit(lease, kind),
            "notice": _notice(lease, kind),
            "annexes": list(ANNEXES[kind.code]),
            "city": head.city,
        }
    return data | {"missing": _missing(lease, unit, terms, label, kind, holding)}


def missing(lease: Lease, *, on: date) -> list[str]:
    """What has to be entered before the contract can be signed, in French, as the contract lists it."""
    return contract_letter(lease, on=on)["missing"]


def _missing(lease, unit, terms, label, kind, holding) -> list[str]:
    wanted = [
        (unit is not None, "le logement"),
        (holding is not None, "le titre de l'association sur le logement"),
        (bool(terms), "le loyer et les charges"),
        (lease.parties.exists(), "les titulaires du contrat"),
        (
            bool(label) or not kind.benefits or bool(kind.needs_structure),
            "le diagnostic de performance énergétique",
        ),
    ]
    return [words for there, words in wanted if not there]


def _label(unit, on: date) -> str:
    kept = (
        EnergyLabel.objects.filter(unit=unit, issued_on__lte=on, valid_until__gt=on)
        .order_by("-issued_on")
        .first()
    )
    return kept.letter if kept else ""


def _occupant(kind) -> str:
    if kind.code.startswith("SUBLET") or kind.code == "BAIL_GLISSANT":
        return "Le sous-locataire"
    if not kind.benefits or kind.code == "RHVS":
        return "La personne accueillie"
    return "Le résident" if kind.needs_structure else "Le locataire"


def _duration(lease: Lease, kind, holding) -> str:
    landlord = "mp"
    if holding and TITLES[holding.title].owners_book and holding.owner.nature in ("person", "family_sci"):
        landlord = "person"
    try:
        found = kinds.duration(kind, on=lease.signed_on, landlord=landlord)
    except NoRuleOn:  # signed before the first record of the law kept here
        found = None
    if found is None or found.unit not in _UNITS:
        return "Il dure tant qu'aucune des parties n'y met fin dans les conditions ci-après."
    most = "au plus" if kind.code == "ALT" else "au moins"
    return f"Il est conclu pour {most} {found.value} {_UNITS[found.unit]} ({found.legal_ref})."


def _revision(kind) -> str:
    if kind.revision == "REV_L89":
        return "Le loyer est révisé chaque année à la date anniversaire du contrat, dans la limite de l'indice de référence des loyers (IRL)."
    if kind.revision == "REV_CONV":
        return f"{str(kind.amount_due).capitalize()} révisable chaque 1er janvier, dans la limite de la variation de l'IRL du 2e trimestre précédent et du maximum de la convention."
    return ""


def _deposit(lease: Lease, kind) -> str:
    try:
        cap = kinds.deposit_cap(kind, on=lease.signed_on)
    except NoRuleOn:
        cap = None
    if cap == 0 or not lease.deposit:
        return "Aucun dépôt de garantie n'est demandé."
    basis = "de redevance" if kind.deposit_basis == "redevance" else "de loyer, hors charges"
    most = f" (au plus {cap} mois {basis})" if cap else ""
    return f"Un dépôt de garantie de {eur(lease.deposit)} est versé à la signature{most}. Il est restitué après la remise des clés, déduction faite des sommes dues et justifiées."


def _notice(lease: Lease, kind) -> str:
    try:
        found = kinds.notice(kind, on=lease.signed_on)
        short = kinds.notice(kind, on=lease.signed_on, ground="job_loss")
    except NoRuleOn:
        found = short = None
    if found is None:
        return "Chaque partie peut mettre fin au contrat dans les conditions fixées par l'association et rappelées au règlement."
    words = f"L'occupant peut partir à tout moment en donnant congé, avec un préavis de {found.value} {_UNITS.get(found.unit, found.unit)}"
    if short != found:
        words += (
            f", réduit à {short.value} {_UNITS.get(short.unit, short.unit)} dans les cas prévus par la loi"
        )
    return f"{words} ({found.legal_ref})."


def _samples() -> list[dict]:
    """One for each kind, so that every particular clause is typeset."""
    made = []
    for kind in KINDS.values():
        one = SAMPLE | {
            "title": kind.french,
            "to": [],
            "signed": False,
            "kind": kind.code,
            "legal": f"Contrat soumis à : {kind.legal_ref.removesuffix('.')}.",
            "head_address": "12 rue de la Paix, 59000 Lille",
            "owner": "M. Dupont",
            "occupant_word": _occupant(kind),
            "unit": "U-0042",
            "typology": "T3",
            "surface": "62,50 m²",
            "label": "D",
            "use": "Habitation principale",
            "start": "15/03/2026",
            "duration": "Il est conclu pour au moins 6 ans (Loi 89-462, art. 10).",
            "money_title": "Loyer",
            "lines": [{"label": "Loyer", "detail": "", "amount": "465,00 €"}],
            "total": "465,00 €",
            "billing": "d'avance",
            "due_day": "5",
            "charges_words": _CHARGES[kind.charges[0]],
            "revision": "",
            "deposit_words": "Aucun dépôt de garantie n'est demandé.",
            "notice": "L'occupant peut partir à tout moment en donnant congé, avec un préavis de 3 mois.",
            "annexes": list(ANNEXES[kind.code]),
            "city": "Lille",
            "missing": ["le diagnostic de performance énergétique"],
        }
        made.append(one)
    return made


register(Paper(CONTRACT, _("Contract"), TEXTS / "contract.typ", _samples))
