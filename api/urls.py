"""Addresses of the API, version 1."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from api import arrears, bank, followup, jobs, law, leases, portfolio, schema

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
router.register("bank-accounts", bank.BankAccounts, basename="bank-account")
router.register("statements", bank.Statements, basename="statement")
router.register("allocations", bank.Allocations, basename="allocation")
router.register("suspense", bank.Suspense, basename="suspense")
router.register("signals", arrears.Signals, basename="signal")
router.register("aged-balance", arrears.AgedBalance, basename="aged-balance")
router.register("contacts", arrears.Contacts, basename="contact")
router.register("referents", followup.Referents, basename="referent")
router.register("jobs", jobs.Jobs, basename="job")
router.register("law", law.LawRules, basename="law")

app_name = "api"
urlpatterns = [
    path("", schema.root, name="root"),
    path("", include(router.urls)),
    path("schema/", schema.Schema.as_view(), name="schema"),
    path("docs/", schema.docs, name="docs"),
]
