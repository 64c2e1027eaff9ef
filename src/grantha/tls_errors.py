"""Why a TLS connection was refused, in words, with what to do about it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

# X509_V_ERR_… of openssl/x509_vfy.h
_EXPIRED, _NOT_YET_VALID, _OTHER_HOST = 10, 9, 62


def describe_tls_error(error: BaseException | None) -> tuple[str, str]:
    """What completes "The server at X …", and the advice."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return "doesn't speak TLS as expected", "Check its address: http:// may be meant."
    why = error.verify_message
    if error.verify_code in {_EXPIRED, _NOT_YET_VALID}:
        return f"has a certificate that isn't valid now ({why})", (
            "Renew it there, or set this machine's clock."
        )
    if error.verify_code == _OTHER_HOST:
        return f"has a certificate for another name ({why})", (
            "Use a name that its certificate lists."
        )
    return f"has a certificate that isn't trusted here ({why})", (
        "If you trust it, set SSL_CERT_FILE to the file of its authority, or to itself."
    )


def missing_certificates(variables: Mapping[str, str]) -> str:
    """What is wrong with SSL_CERT_FILE itself; empty if nothing is. OpenSSL passes it over in silence."""
    named = variables.get("SSL_CERT_FILE")
    if not named or Path(named).is_file():
        return ""
    return f"SSL_CERT_FILE is {named!r}, and there is no such file. Correct the path, or unset it."
