"""The site for a WSGI server: `gunicorn gla.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gla.settings")

application = get_wsgi_application()
