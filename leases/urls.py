"""Addresses of this app's pages."""

from django.urls import path

from leases.views import (
    bank,
    bank_accounts,
    households,
    imports,
    lease_actions,
    leases,
    runs,
    suspense,
    units,
)

urlpatterns = [
    path("units/", units.UnitList.as_view(), name="units"),
    path("units/<int:pk>/", units.UnitPage.as_view(), name="unit"),
    path("buildings/<int:pk>/", units.BuildingPage.as_view(), name="building"),
    path("leases/", leases.LeaseList.as_view(), name="leases"),
    path("leases/<int:pk>/", leases.LeasePage.as_view(), name="lease"),
    path("leases/<int:pk>/account/", leases.AccountPage.as_view(), name="lease-account"),
    path("leases/<int:pk>/end/", lease_actions.EndLease.as_view(), name="lease-end"),
    path("leases/<int:pk>/keys/", lease_actions.ReturnKeys.as_view(), name="lease-keys"),
    path("leases/<int:pk>/term/", lease_actions.ChangeTerm.as_view(), name="lease-term"),
    path("leases/<int:pk>/benefit/", lease_actions.ChangeBenefit.as_view(), name="lease-benefit"),
    path("leases/<int:pk>/reverse/", lease_actions.ReverseCall.as_view(), name="lease-reverse"),
    path("households/", households.HouseholdList.as_view(), name="households"),
    path("households/<int:pk>/", households.HouseholdPage.as_view(), name="household"),
    path("runs/", runs.RunList.as_view(), name="runs"),
    path("runs/preview/", runs.RunPreview.as_view(), name="run-preview"),
    path("runs/commit/", runs.CommitRun.as_view(), name="run-commit"),
    path("runs/<int:pk>/", runs.RunPage.as_view(), name="run"),
    path("runs/<int:pk>/calls/", runs.CallList.as_view(), name="run-calls"),
    path("imports/", imports.Imports.as_view(), name="imports"),
    path("imports/portfolio/", imports.ImportPortfolio.as_view(), name="import-portfolio"),
    path(
        "imports/portfolio/template/", imports.PortfolioTemplate.as_view(), name="import-portfolio-template"
    ),
    path("imports/leases/", imports.ImportLeases.as_view(), name="import-leases"),
    path("imports/leases/template/", imports.LeasesTemplate.as_view(), name="import-leases-template"),
    path("imports/balances/", imports.ImportBalances.as_view(), name="import-balances"),
    path("imports/balances/template/", imports.BalancesTemplate.as_view(), name="import-balances-template"),
    path("bank-accounts/", bank_accounts.BankAccountList.as_view(), name="bank-accounts"),
    path("bank-accounts/add/", bank_accounts.DeclareBankAccount.as_view(), name="bank-account-add"),
    path("statements/", bank.StatementList.as_view(), name="statements"),
    path("statements/import/", bank.ImportStatement.as_view(), name="import-statement"),
    path("statements/list/", bank.ImportPaymentList.as_view(), name="import-payment-list"),
    path("statements/<int:pk>/", bank.StatementPage.as_view(), name="statement"),
    path("movements/<int:pk>/", bank.MovementPage.as_view(), name="movement"),
    path("allocations/<int:pk>/take-back/", bank.TakeBack.as_view(), name="allocation-take-back"),
    path("suspense/", suspense.SuspenseList.as_view(), name="suspense"),
    path("suspense/<int:pk>/", suspense.SettleLine.as_view(), name="suspense-line"),
]
