"""The site for a WSGI server: `gunicorn gla.wsgi`."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gla.settings")

application = get_wsgi_application()
get_resolver().url_patterns  # noqa: B018 loads every page
# What is loaded now stays for good: looking through it for waste again and again stops pages for 0.1 s.
gc.collect()
gc.freeze()
