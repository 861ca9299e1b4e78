"""The leases' models, subject by subject."""

from leases.accounts.analytics import AnalyticCode, CodeGiven
from leases.accounts.fec import FecFile, FecPart
from leases.accounts.grants import Grant, GrantStep
from leases.accounts.owner_accounts import OwnerStatement
from leases.accounts.owner_dues import Guarantee, HeadRentCall, OwnerExpense
from leases.accounts.owner_fees import Fee, FeeLine
from leases.accounts.owner_terms import ClientAccount, HeadRent, MandateTerms
from leases.accounts.payouts import Payout, PayoutBatch
from leases.accounts.provisions import ProvisionRate
from leases.bank import Allocation, Movement, Statement
from leases.bank_accounts import BankAccount
from leases.benefits import Benefit
from leases.checkpoint import Checkpoint, CheckpointItem, CheckpointLease
from leases.collecting.debits import Debit, DebitBatch, DebitCredit, DebitReport, DebitReturn
from leases.collecting.desk import ChequeSlip, ChequeSlipLine, DeskReceipt
from leases.collecting.mandates import DebitDay, Mandate, MandateAmendment, MandateBlock
from leases.households import Household, Membership, Person
from leases.lease import Lease, LeaseParty, PayerIban
from leases.ledger import Account, Book, Entry, PeriodLock, Posting
from leases.occupancy import Occupancy
from leases.opening import OpeningBalance
from leases.operations import Operation
from leases.papers import (  # they register the papers and their long work
    batch,
    contracts,
    letters,
    owner_papers,
    yearly_letters,
)
from leases.papers.consent import EmailChoice
from leases.remittances import ListDetail
from leases.rent import MonthToReview, RentCall, RentRun, RunException, RunPart
from leases.tenancy.applications import Application, ApplicationDocument
from leases.tenancy.departure import FinalAccount, TenantTransfer
from leases.tenancy.deposits import Deduction, DeductionProof, Deposit
from leases.tenancy.inspections import Inspection, InspectionLine, InspectionPhoto, MeterReading
from leases.tenancy.notices import Departure
from leases.tenancy.participation import ParticipationRate, ProvedResources
from leases.tenancy.stays import StayExtension
from leases.tenancy.wear import WearRule
from leases.terms import FreePeriod, RentTerm
from leases.upkeep.obligations import Boiler, Certificate, ObligationStep
from leases.upkeep.reletting import RelettingStep
from leases.upkeep.repairs import Repair, RepairInvoice, WorkOrder
from leases.yearly.charges import (
    ChargeException,
    ChargeGroup,
    ChargeLine,
    ChargePart,
    ChargeRun,
    FlatCharges,
    Settlement,
)
from leases.yearly.co_ownership import CoOwnership, FundCall, Lot
from leases.yearly.expenses import ChargePolicy, Expense, KeyTotal, UnitShare
from leases.yearly.indices import IndexValue
from leases.yearly.revision import Revision, RevisionRun
from leases.yearly.revision_clause import RevisionClause

__all__ = [
    "Account",
    "Allocation",
    "AnalyticCode",
    "Application",
    "ApplicationDocument",
    "BankAccount",
    "Benefit",
    "Boiler",
    "Book",
    "Certificate",
    "ChargeException",
    "ChargeGroup",
    "ChargeLine",
    "ChargePart",
    "ChargePolicy",
    "ChargeRun",
    "ClientAccount",
    "CoOwnership",
    "Checkpoint",
    "CheckpointItem",
    "CheckpointLease",
    "CodeGiven",
    "Debit",
    "DebitBatch",
    "DebitCredit",
    "DebitDay",
    "DebitReport",
    "DebitReturn",
    "Deduction",
    "DeductionProof",
    "Departure",
    "Deposit",
    "EmailChoice",
    "Entry",
    "Expense",
    "FecFile",
    "FecPart",
    "Fee",
    "FeeLine",
    "FinalAccount",
    "FlatCharges",
    "FreePeriod",
    "FundCall",
    "Grant",
    "GrantStep",
    "Guarantee",
    "HeadRent",
    "HeadRentCall",
    "Household",
    "IndexValue",
    "Inspection",
    "InspectionLine",
    "InspectionPhoto",
    "KeyTotal",
    "Lease",
    "LeaseParty",
    "ListDetail",
    "Lot",
    "Mandate",
    "MandateAmendment",
    "MandateBlock",
    "MandateTerms",
    "Membership",
    "MeterReading",
    "MonthToReview",
    "Movement",
    "Occupancy",
    "OpeningBalance",
    "ChequeSlip",
    "ChequeSlipLine",
    "DeskReceipt",
    "ObligationStep",
    "Operation",
    "OwnerExpense",
    "OwnerStatement",
    "ParticipationRate",
    "PayerIban",
    "Payout",
    "PayoutBatch",
    "PeriodLock",
    "Person",
    "Posting",
    "ProvedResources",
    "ProvisionRate",
    "RelettingStep",
    "RentCall",
    "RentRun",
    "RentTerm",
    "Repair",
    "RepairInvoice",
    "Revision",
    "RevisionClause",
    "RevisionRun",
    "RunException",
    "RunPart",
    "Settlement",
    "Statement",
    "StayExtension",
    "TenantTransfer",
    "UnitShare",
    "WearRule",
    "WorkOrder",
    "batch",
    "contracts",
    "owner_papers",
    "yearly_letters",
    "letters",
]
