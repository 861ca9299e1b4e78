"""Addresses of this app's pages."""

from django.urls import path

from arrears.views import aged, benefit_reports, leases, worklist

urlpatterns = [
    path("", worklist.Worklist.as_view(), name="worklist"),
    path("flag/", worklist.FlagArrears.as_view(), name="flag-arrears"),
    path("benefit-reports/", benefit_reports.BenefitReports.as_view(), name="benefit-reports"),
    path("benefit-reports/report/", benefit_reports.ReportUnpaid.as_view(), name="benefit-report"),
    path(
        "benefit-reports/<int:pk>/receipt/", benefit_reports.RecordReceipt.as_view(), name="benefit-receipt"
    ),
    path("aged/", aged.AgedBalance.as_view(), name="aged-balance"),
    path("aged/leases/", aged.AgedLeases.as_view(), name="aged-leases"),
    path("leases/<int:pk>/", leases.LeaseArrears.as_view(), name="arrears-lease"),
    path("leases/<int:pk>/contact/", leases.LogContact.as_view(), name="contact-new"),
    path("signals/<int:pk>/handle/", leases.HandleSignal.as_view(), name="signal-handle"),
    path("signals/<int:pk>/remind/", leases.RemindSignal.as_view(), name="signal-remind"),
    path("signals/<int:pk>/assign/", leases.AssignSignal.as_view(), name="signal-assign"),
]
