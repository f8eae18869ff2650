"""A real SMTP server that tells its tests what it was sent, and fails when it is asked to.

It prints one line of JSON for each thing that happens: where it listens, each recipient that it
refused, each message that it took. What it does with a recipient stands in the address:

    later-2.anna@example.org   450 to the first two attempts, then taken
    never.anna@example.org     550
    slow-800.anna@example.org  taken after 800 ms

    python server.py [--port N] [--tls starttls|smtps --folder DIR] [--login USER:PASSWORD]
"""

import argparse
import asyncio
import collections
import datetime
import email
import email.policy
import ipaddress
import json
import pathlib
import re
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


def say(**what):
    print(json.dumps(what), flush=True)


class Handler:
    def __init__(self):
        self.attempts = collections.Counter()

    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        self.attempts[address] += 1
        later = re.match(r"later-(\d+)\.", name)
        if later and self.attempts[address] <= int(later[1]):
            say(refused=450, to=address)
            return "450 4.2.1 the mailbox is busy, try again"
        if name.startswith("never."):
            say(refused=550, to=address)
            return "550 5.1.1 there is no such mailbox"
        slow = re.match(r"slow-(\d+)\.", name)
        if slow:
            await asyncio.sleep(int(slow[1]) / 1000)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        say(
            taken=True,
            mail_from=envelope.mail_from,
            to=envelope.rcpt_tos,
            message_id=message["Message-ID"],
            date=message["Date"],
            subject=message["Subject"],
            sender=message["From"],
            body=message.get_content(),
            encrypted=session.ssl is not None,
            user=getattr(session, "auth_data", None) and session.auth_data.decode(),
        )
        return "250 OK taken"


def certificates(folder):
    """An authority in authority.pem, and a context with a certificate of it for 127.0.0.1."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def name(text):
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    def certificate(subject, key, issuer, issuer_key, authority):
        now = datetime.datetime.now(datetime.timezone.utc)
        made = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if not authority:
            names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
            usage = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH])
            made = made.add_extension(usage, critical=False)
        return made.sign(issuer_key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = certificate("test authority", root_key, "test authority", root_key, True)
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = certificate("127.0.0.1", key, "test authority", root_key, False)
    (folder / "authority.pem").write_bytes(root.public_bytes(pem))
    (folder / "server.pem").write_bytes(
        leaf.public_bytes(pem)
        + key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--tls", choices=["starttls", "smtps"])
    arguments.add_argument("--folder", type=pathlib.Path)
    arguments.add_argument("--login")
    chosen = arguments.parse_args()

    context = certificates(chosen.folder) if chosen.tls else None
    options = {}
    if chosen.tls == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    if chosen.login:
        user, password = chosen.login.split(":")

        def login(server, session, envelope, mechanism, data):
            right = (
                isinstance(data, LoginPassword)
                and data.login == user.encode()
                and data.password == password.encode()
            )
            if right:
                return AuthResult(success=True, auth_data=data.login)
            say(refused=535)
            return AuthResult(success=False, handled=False)

        # With smtps the whole connection is encrypted, which the library does not know of.
        options |= {
            "authenticator": login,
            "auth_required": True,
            "auth_require_tls": chosen.tls == "starttls",
        }
    handler = Handler()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(handler, hostname="mail.test", **options),
        "127.0.0.1",
        chosen.port,
        ssl=context if chosen.tls == "smtps" else None,
    )
    say(port=server.sockets[0].getsockname()[1])
    # Ends with the test that started it: its end of the pipe closes.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
