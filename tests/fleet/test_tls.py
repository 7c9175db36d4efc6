"""TLS to a real server, with a certificate of one's own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from m31a_metrics.errors import FleetUnreachable
from m31a_metrics.fleet.address import address_of
from m31a_metrics.fleet.client import Address, Client
from m31a_metrics.fleet.schema import check_version, set_up
from tests.fleet.servers import PASSWORD, running
from tests.integrations.servers import free_port

pytestmark = pytest.mark.fleet

TLS = """\
 <https_port>{port}</https_port>
 <openSSL><server>
  <certificateFile>{certificate}</certificateFile><privateKeyFile>{key}</privateKeyFile>
  <verificationMode>none</verificationMode><loadDefaultCAFile>false</loadDefaultCAFile>
 </server></openSSL>
"""


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a certificate of 127.0.0.1 that nobody else signed, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("optional: needs openssl, to make a certificate")
    made, key = folder / f"{name}.crt", folder / f"{name}.key"
    for_whom = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2")
    new = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes")
    command = [*new, *for_whom, "-keyout", str(key), "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    return made, key


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """A server that speaks TLS; its address, with whom to believe."""
    folder = tmp_path_factory.mktemp("tls")
    made, key = certificate(folder, "own")
    port = free_port()
    more = TLS.format(port=port, certificate=made, key=key)
    with running(folder / "servers", 1, more=more):
        environ = {"M31A_CLICKHOUSE_USER": "pusher", "M31A_CLICKHOUSE_PASSWORD": PASSWORD}
        text = f"clickhouse://127.0.0.1:{port}/team?secure=1"
        yield address_of(text, {"ca_file": str(made)}, environ)


def test_a_certificate_that_is_believed(secure: Address) -> None:
    """Tables are made and asked over TLS, with the certificate that `ca_file` names."""
    assert secure.is_secure
    set_up(secure, "")
    with closing(Client(secure)) as client:
        assert check_version(client) == ""


def test_a_certificate_that_nobody_vouches_for(secure: Address, tmp_path: Path) -> None:
    """Neither the system's authorities nor another one makes it believed; nothing is sent."""
    other, _ = certificate(tmp_path, "other")
    for ca_file in ("", str(other)):
        with (
            closing(Client(replace(secure, ca_file=ca_file))) as client,
            pytest.raises(FleetUnreachable, match="certificate"),
        ):
            client.rows("SELECT 1")


def test_plain_http_to_a_port_of_tls(secure: Address) -> None:
    """An address with ?secure=0 is no way around: the server does not answer it."""
    with (
        closing(Client(replace(secure, is_secure=False))) as client,
        pytest.raises(FleetUnreachable, match="does not answer"),
    ):
        client.rows("SELECT 1")
