"""The columns of a file of leases (*fichier des baux*), and the field each one ends in.

docs/imports.md is the reader's version.
"""

from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from core.cells import Column
from leases.benefits import Benefit
from leases.households import Household, Person
from leases.kinds import KINDS
from leases.lease import Lease
from leases.terms import CHARGES, FURNITURE, PARKING, RENT, SERVICES, FreePeriod
from portfolio.stock import Place

END_REASONS = {
    "congé du locataire": Lease.EndReason.TENANT_NOTICE.value,
    "congé du bailleur": Lease.EndReason.LANDLORD_NOTICE.value,
    "jugement": Lease.EndReason.COURT.value,
    "mutation": Lease.EndReason.TRANSFER.value,
    "décès": Lease.EndReason.DEATH.value,
    "terme": Lease.EndReason.TERM.value,
    "fin du titre": Lease.EndReason.HOLDING_END.value,
}
BILLINGS = {
    "à échoir": Lease.Billing.IN_ADVANCE.value,
    "échu": Lease.Billing.IN_ARREARS.value,
}
PAYERS = {"CAF": Benefit.Payer.CAF.value, "MSA": Benefit.Payer.MSA.value}
BENEFITS = {"APL": Benefit.Kind.APL.value, "AL": Benefit.Kind.AL.value}

LEASE_COLUMNS = [
    Column("bail_reference", key="lease_reference", required=True),
    Column(
        "bail_type",
        "choice",
        choices={code: code for code in KINDS},
        key="kind",
        help=_("The regime of the contract."),
    ),
    Column("place_reference", key="place_reference", help=_("The home, room or bed, as in the portfolio.")),
    # Who
    Column("menage_reference", key="household_reference"),
    Column("titulaire_reference", key="head_reference"),
    Column("titulaire_nom", key="head_last_name"),
    Column("titulaire_prenom", key="head_first_name"),
    Column("titulaire_naissance", "date", key="head_born_on"),
    Column("titulaire_email", key="head_email"),
    Column("titulaire_telephone", key="head_phone"),
    Column("cotitulaire_reference", key="other_reference"),
    Column("cotitulaire_nom", key="other_last_name"),
    Column("cotitulaire_prenom", key="other_first_name"),
    Column("cotitulaire_naissance", "date", key="other_born_on"),
    Column("cotitulaire_email", key="other_email"),
    Column("cotitulaire_telephone", key="other_phone"),
    # When
    Column("signe_le", "date", key="signed_on", help=_("The day of the start by default.")),
    Column("debut", "date", key="start", help=_("First day of the contract.")),
    Column("fin", "date", key="end", help=_("Last day of the contract, included; blank while it runs.")),
    Column("motif_fin", "choice", choices=END_REASONS, key="end_reason"),
    Column("renouvele_le", "date", key="last_renewed_on"),
    Column("entree", "date", key="entry", help=_("Day the keys were given; the start by default.")),
    Column(
        "sortie",
        "date",
        key="exit",
        help=_("Day the keys came back, still owed; blank while the place is occupied, even without title."),
    ),
    # How it is paid
    Column("terme", "choice", choices=BILLINGS, key="billing", help=_("“à échoir” by default.")),
    Column("jour_echeance", "int", key="due_day", help=_("From 1 to 28; 5 by default.")),
    Column("depot_garantie", "euros", key="deposit"),
    Column(
        "reference_paiement",
        key="payment_reference",
        help=_("L, seven digits, two check digits; computed when blank."),
    ),
    Column("rum", key="debit_mandate", help=_("Reference of the direct-debit mandate.")),
    Column("iban_payeur", key="payer_iban"),
    # What is owed each month, from loyer_depuis on
    Column(
        "loyer_depuis",
        "date",
        key="terms_since",
        help=_("From when these amounts hold; the start by default."),
    ),
    Column("loyer", "euros", key="rent", help=_("Euros a whole month, without charges.")),
    Column("charges", "euros", key="charges"),
    Column("services", "euros", key="services"),
    Column("stationnement", "euros", key="parking"),
    Column("mobilier", "euros", key="furniture"),
    Column("franchise_debut", "date", key="free_start", help=_("First day for which nothing is called.")),
    Column("franchise_fin", "date", key="free_end", help=_("Last day for which nothing is called.")),
    Column("franchise_motif", key="free_reason"),
    # Housing benefit
    Column("aide_organisme", "choice", choices=PAYERS, key="benefit_payer", help=_("CAF by default.")),
    Column("aide_type", "choice", choices=BENEFITS, key="benefit_kind"),
    Column("numero_allocataire", key="beneficiary_number"),
    Column("aide_montant", "euros", key="benefit_amount", help=_("Euros a month.")),
    Column("aide_debut", "month", key="benefit_start", help=_("First month of the right.")),
    Column("aide_fin", "month", key="benefit_end", help=_("Last month of the right; blank while it runs.")),
    Column("versee_au_bailleur", "bool", key="paid_to_landlord", help=_("Yes by default.")),
]

COLUMN = {column.key: column for column in LEASE_COLUMNS}
FIELDS = {
    "lease_reference": (Lease, "reference"),
    "place_reference": (Place, "reference"),
    "household_reference": (Household, "reference"),
    "debit_mandate": (Lease, "debit_mandate"),
    "free_reason": (FreePeriod, "reason"),
    "beneficiary_number": (Benefit, "beneficiary_number"),
    **{
        f"{who}_{field}": (Person, field)
        for who in ("head", "other")
        for field in ("reference", "last_name", "first_name", "email", "phone")
    },
}
MOST = 100_000
RANGES = {
    "due_day": (1, 28),
    "deposit": (0, MOST),
    "benefit_amount": (Decimal("0.01"), MOST),
    **dict.fromkeys(("rent", "charges", "services", "parking", "furniture"), (0, MOST)),
}
ITEMS = {"rent": RENT, "charges": CHARGES, "services": SERVICES, "parking": PARKING, "furniture": FURNITURE}
PERSON = ("last_name", "first_name", "born_on", "email", "phone")
HEAD = {field: COLUMN[f"head_{field}"] for field in PERSON}
OTHER = {field: COLUMN[f"other_{field}"] for field in PERSON}
LEASE = {
    "household": COLUMN["household_reference"],
    **{
        name: COLUMN[name]
        for name in (
            "kind",
            "signed_on",
            "start",
            "last_renewed_on",
            "end",
            "end_reason",
            "billing",
            "due_day",
            "deposit",
            "payment_reference",
            "debit_mandate",
        )
    },
}
OCCUPANCY = {"place": COLUMN["place_reference"], "end": COLUMN["exit"], "keys_returned_on": COLUMN["exit"]}
BENEFIT = {
    "payer": COLUMN["benefit_payer"],
    "kind": COLUMN["benefit_kind"],
    "beneficiary_number": COLUMN["beneficiary_number"],
    "amount": COLUMN["benefit_amount"],
    "end": COLUMN["benefit_end"],
}
