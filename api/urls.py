"""Addresses of the API, version 1."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from api import (
    arrears,
    bank,
    benefits,
    charges,
    closing,
    debits,
    desk,
    documents,
    followup,
    jobs,
    law,
    leases,
    owners,
    portfolio,
    revision,
    schema,
    tenancy,
    upkeep,
)

router = SimpleRouter(use_regex_path=False)
router.register("owners", portfolio.Owners, basename="owner")
router.register("holdings", portfolio.Holdings, basename="holding")
router.register("sites", portfolio.Sites, basename="site")
router.register("structures", portfolio.Structures, basename="structure")
router.register("buildings", portfolio.Buildings, basename="building")
router.register("units", portfolio.Units, basename="unit")
router.register("places", portfolio.Places, basename="place")
router.register("out-of-service", portfolio.TimesOutOfService, basename="out-of-service")
router.register("safety-orders", portfolio.SafetyOrders, basename="safety-order")
router.register("energy-labels", portfolio.EnergyLabels, basename="energy-label")
router.register("persons", leases.Persons, basename="person")
router.register("households", leases.Households, basename="household")
router.register("leases", leases.Leases, basename="lease")
router.register("rent-terms", leases.RentTerms, basename="rent-term")
router.register("occupancies", leases.Occupancies, basename="occupancy")
router.register("benefits", leases.Benefits, basename="benefit")
router.register("rent-runs", leases.RentRuns, basename="rent-run")
router.register("rent-indices", revision.Indices, basename="rent-index")
router.register("revisions", revision.Revisions, basename="revision")
router.register("expenses", charges.Expenses, basename="expense")
router.register("charge-runs", charges.ChargeRuns, basename="charge-run")
router.register("charge-statements", charges.ChargeStatements, basename="charge-statement")
router.register("bank-accounts", bank.BankAccounts, basename="bank-account")
router.register("statements", bank.Statements, basename="statement")
router.register("allocations", bank.Allocations, basename="allocation")
router.register("suspense", bank.Suspense, basename="suspense")
router.register("books", closing.Books, basename="book")
router.register("period-locks", closing.PeriodLocks, basename="period-lock")
router.register("accounting-files", closing.AccountingFiles, basename="accounting-file")
router.register("provisions", closing.Provisions, basename="provision")
router.register("analytic-accounts", closing.AnalyticAccounts, basename="analytic-account")
router.register("grants", closing.Grants, basename="grant")
router.register("mandates", debits.Mandates, basename="mandate")
router.register("debit-batches", debits.DebitBatches, basename="debit-batch")
router.register("returned-debits", debits.ReturnedDebits, basename="returned-debit")
router.register("proved-resources", benefits.ProvedResourcesList, basename="proved-resources")
router.register("benefit-reports", benefits.BenefitReports, basename="benefit-report")
router.register("desk-receipts", desk.DeskReceipts, basename="desk-receipt")
router.register("cheque-slips", desk.ChequeSlips, basename="cheque-slip")
router.register("applications", tenancy.Applications, basename="application")
router.register("inspections", tenancy.Inspections, basename="inspection")
router.register("final-accounts", tenancy.FinalAccounts, basename="final-account")
router.register("tenant-transfers", tenancy.TenantTransfers, basename="tenant-transfer")
router.register("stay-extensions", tenancy.StayExtensions, basename="stay-extension")
router.register("certificates", upkeep.Certificates, basename="certificate")
router.register("obligation-steps", upkeep.ObligationSteps, basename="obligation-step")
router.register("repairs", upkeep.Repairs, basename="repair")
router.register("work-orders", upkeep.WorkOrders, basename="work-order")
router.register("repair-invoices", upkeep.RepairInvoices, basename="repair-invoice")
router.register("reletting", upkeep.RelettingBoard, basename="reletting")
router.register("owner-statements", owners.OwnerStatements, basename="owner-statement")
router.register("payouts", owners.Payouts, basename="payout")
router.register("signals", arrears.Signals, basename="signal")
router.register("aged-balance", arrears.AgedBalance, basename="aged-balance")
router.register("contacts", arrears.Contacts, basename="contact")
router.register("referents", followup.Referents, basename="referent")
router.register("documents", documents.Documents, basename="document")
router.register("jobs", jobs.Jobs, basename="job")
router.register("law", law.LawRules, basename="law")

app_name = "api"
urlpatterns = [
    path("", schema.root, name="root"),
    path("", include(router.urls)),
    path("benefit-differences/", benefits.BenefitDifferences.as_view(), name="benefit-differences"),
    path("benefit-rents/", benefits.BenefitRents.as_view(), name="benefit-rents"),
    path("benefit-departures/", benefits.BenefitDepartures.as_view(), name="benefit-departures"),
    path("benefit-conflicts/", benefits.BenefitConflicts.as_view(), name="benefit-conflicts"),
    path("participations/", benefits.Participations.as_view(), name="participations"),
    path("client-money/", owners.ClientMoney.as_view(), name="client-money"),
    path("schema/", schema.Schema.as_view(), name="schema"),
    path("docs/", schema.docs, name="docs"),
]
