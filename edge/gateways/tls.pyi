from typing import final

@final
class TlsContext:
    """Certificates and rules of one TLS listener, read from files once; immutable afterwards."""

    def __new__(
        cls,
        *,
        certificate_file: str,
        key_file: str,
        client_ca_file: str = ...,
        client_certificate: str = ...,
        crl_file: str = ...,
        version_min: str = ...,
        ciphers: str = ...,
    ) -> TlsContext:
        """Read the files.

        Args:
            certificate_file: PEM chain, the server's own certificate first.
            key_file: PEM private key, unencrypted.
            client_ca_file: PEM authorities; needed unless client_certificate is "none".
            client_certificate: "none", "optional" or "required".
            crl_file: PEM revocation list, or empty.
            version_min: "1.2" or "1.3".
            ciphers: OpenSSL list for TLS 1.2, or empty for OpenSSL's default.

        Raises:
            AccessError: a file cannot be used; the message names it and says OpenSSL's words.
        """
