"""All addresses, each app's beneath one roof."""

from django.urls import include, path

from core import job_pages
from gla import health, home, house, search

urlpatterns = [
    path("", home.Home.as_view(), name="home"),
    path("search/", search.Search.as_view(), name="search"),
    path("law/", house.Law.as_view(), name="law"),
    path("users/", house.UserList.as_view(), name="users"),
    path("audit/", house.AuditList.as_view(), name="audit"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("accounts/", include("allauth.urls")),
    path("health", health.health, name="health"),
    path("jobs/", job_pages.job_list, name="jobs"),
    path("jobs/files/<uuid:pk>/", job_pages.kept_file, name="kept-file"),
    path("jobs/<uuid:pk>/", job_pages.job_progress, name="job"),
    path("jobs/<uuid:pk>/cancel/", job_pages.job_cancel, name="job-cancel"),
    path("jobs/<uuid:pk>/resume/", job_pages.job_resume, name="job-resume"),
    path("portfolio/", include("portfolio.urls")),
    path("leases/", include("leases.urls")),
    path("followup/", include("followup.urls")),
    path("arrears/", include("arrears.urls")),
    path("energy/", include("energy.urls")),
    path("api/v1/", include("api.urls")),
]
