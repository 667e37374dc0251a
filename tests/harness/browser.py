"""What a person with a browser does: follows addresses, and sees pages."""
import ssl
import urllib.error
import urllib.request


def visit(url, ca):
    """(status, page) at the end of all redirections."""
    context = ssl.create_default_context(cafile=ca)
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=context),
        urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=20) as got:
            return got.status, got.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
