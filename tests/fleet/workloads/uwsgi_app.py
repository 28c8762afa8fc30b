"""What uWSGI serves to the tests."""


def application(environ, start_response):
    """Answers every request alike."""
    start_response("200 OK", [])
    return []
