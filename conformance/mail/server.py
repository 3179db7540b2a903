"""A mail server on a free port of 127.0.0.1 that prints what it takes, one line of JSON each; ends when its standard input does."""

import argparse
import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


def say(**what):
    print(json.dumps(what), flush=True)


class Takes:
    def __init__(self, later, never):
        self.later = later
        self.never = never

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.never and self.never in address:
            say(refused="never")
            return "550 5.1.1 no such mailbox: " + address
        if self.later > 0:
            self.later -= 1
            say(refused="later")
            return "451 4.3.0 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
        say(
            sender=envelope.mail_from,
            to=envelope.rcpt_tos,
            headers={name.lower(): str(value) for name, value in mail.items()},
            plain=parts.get("text/plain"),
            html=parts.get("text/html"),
            tls=session.ssl is not None,
            signed_in=bool(session.authenticated),
        )
        return "250 taken"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--protection", choices=["none", "starttls", "tls"], default="none")
    arguments.add_argument("--certificate")
    arguments.add_argument("--key")
    arguments.add_argument("--password")
    arguments.add_argument("--later", type=int, default=0)
    arguments.add_argument("--never")
    said = arguments.parse_args()

    context = None
    if said.protection != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(said.certificate, said.key)

    def authenticate(server, session, envelope, mechanism, data):
        right = said.password and data.login == b"roster" and data.password == said.password.encode()
        return AuthResult(success=bool(right))

    def serve():
        starts = context if said.protection == "starttls" else None
        wants = bool(said.password)
        return SMTP(
            takes,
            hostname="mail.test",
            tls_context=starts,
            require_starttls=starts is not None,
            authenticator=authenticate if wants else None,
            auth_required=wants,
            auth_require_tls=starts is not None,
        )

    async def until_our_input_ends():
        loop = asyncio.get_running_loop()
        outer = context if said.protection == "tls" else None
        server = await loop.create_server(serve, "127.0.0.1", 0, ssl=outer)
        say(port=server.sockets[0].getsockname()[1])
        await loop.run_in_executor(None, sys.stdin.read)
        server.close()

    takes = Takes(said.later, said.never)
    asyncio.run(until_our_input_ends())


main()
