"""Addresses of this app's pages."""

from django.urls import path

from followup.views import referents

urlpatterns = [
    path("households/", referents.FollowedList.as_view(), name="followed"),
    path("unfollowed/", referents.UnfollowedList.as_view(), name="unfollowed"),
    path("households/<int:pk>/referent/", referents.ReferentPanel.as_view(), name="referent-panel"),
    path("households/<int:pk>/referent/name/", referents.NameReferent.as_view(), name="referent-name"),
]
