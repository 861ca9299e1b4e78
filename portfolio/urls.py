"""Addresses of this app's pages."""

from django.urls import path

from portfolio.views import buildings, owners

urlpatterns = [
    path("owners/", owners.OwnerList.as_view(), name="owners"),
    path("owners/<int:pk>/", owners.OwnerPage.as_view(), name="owner"),
    path("holdings/", owners.HoldingList.as_view(), name="holdings"),
    path("buildings/", buildings.BuildingList.as_view(), name="buildings"),
]
