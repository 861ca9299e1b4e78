"""The leases' models, subject by subject."""

from leases.bank import Allocation, Movement, Statement
from leases.bank_accounts import BankAccount
from leases.benefits import Benefit
from leases.households import Household, Membership, Person
from leases.lease import Lease, LeaseParty, PayerIban
from leases.ledger import Account, Book, Entry, Posting
from leases.occupancy import Occupancy
from leases.opening import OpeningBalance
from leases.rent import MonthToReview, RentCall, RentRun, RunException, RunPart
from leases.terms import FreePeriod, RentTerm

__all__ = [
    "Account",
    "Allocation",
    "BankAccount",
    "Benefit",
    "Book",
    "Entry",
    "FreePeriod",
    "Household",
    "Lease",
    "LeaseParty",
    "Membership",
    "MonthToReview",
    "Movement",
    "Occupancy",
    "OpeningBalance",
    "PayerIban",
    "Person",
    "Posting",
    "RentCall",
    "RentRun",
    "RentTerm",
    "RunException",
    "RunPart",
    "Statement",
]
