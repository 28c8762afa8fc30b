"""A Celery application whose tasks come from its own memory."""

from celery import Celery

app = Celery("celery_app", broker="memory://")
