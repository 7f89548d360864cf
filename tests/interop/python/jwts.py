"""An issuer of JSON Web Tokens as others have one: PyJWT signs, a JWKS file has the public keys, and plain grpcio calls.

The node knows the issuer https://idp.example.org by the file POLYWIRE_JWKS, for the audience inventory. Its rules let ann
read, every subject list, and nobody write.
"""

import base64
import hmac
import json
import os
import pathlib
import signal
import time
import unittest
import urllib.request

import grpc
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

import target

ISSUER = "https://idp.example.org"
AUDIENCE = "inventory"
JWKS = pathlib.Path(os.environ["POLYWIRE_JWKS"])
NODE = int(os.environ["POLYWIRE_NODE_PID"])

# {"key": "none"}
KEY = b"\x0a\x04none"

KEYS = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "PS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def health():
    with urllib.request.urlopen(target.METRICS.replace("/metrics", "/readyz?verbose")) as page:
        return page.read().decode()


def jwk(name, key):
    algorithm = jwt.get_algorithm_by_name(name)
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": name, "alg": name, "use": "sig"}


def write(keys):
    """As an issuer's keys are fetched: into another file first."""
    new = JWKS.with_suffix(".new")
    new.write_text(json.dumps({"keys": [jwk(name, key) for name, key in keys.items()]}))
    new.replace(JWKS)


def token(name, key=..., headers=None, **claims):
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": int(time.time()) + 300, **claims}
    headers = {"kid": name, **(headers or {})}
    claims, headers = ({key: value for key, value in part.items() if value is not None} for part in (claims, headers))
    key = KEYS[name] if key is ... else key
    return jwt.encode(claims, key, algorithm=name, headers=headers)


def under_a_secret(secret, good):
    """What PyJWT refuses to make: a token whose secret is a public key."""
    encoded = lambda part: base64.urlsafe_b64encode(part).rstrip(b"=")
    header = encoded(json.dumps({"alg": "HS256", "kid": "RS256"}).encode())
    message = header + b"." + good.split(".")[1].encode()
    return (message + b"." + encoded(hmac.digest(secret, message, "sha256"))).decode()


class Jwts(unittest.TestCase):
    def setUp(self):
        self.channel = target.connect(target.NODE)
        self.addCleanup(self.channel.close)

    def call(self, method, bearer):
        metadata = [("authorization", f"Bearer {bearer}")] if bearer else None
        call = self.channel.unary_unary(f"/polywire.kv.v1.Kv/{method}")
        try:
            call(KEY, metadata=metadata, timeout=target.PATIENCE)
        except grpc.RpcError as error:
            return error.code().name, error.details()
        return "OK", ""

    def outcome(self, method, bearer):
        return self.call(method, bearer)[0]

    def test_1_each_algorithm_proves_the_subject(self):
        write(KEYS)
        self.hang_up_until(lambda: self.outcome("Get", token("EdDSA")) == "NOT_FOUND")
        for name in KEYS:
            self.assertEqual(self.outcome("Get", token(name)), "NOT_FOUND", name)
            self.assertEqual(self.outcome("List", token(name, sub="bob")), "OK", name)

    def test_2_rules_decide_what_a_subject_may_call(self):
        self.assertEqual(self.outcome("Get", None), "UNAUTHENTICATED")
        for method, subject, expected in [
            ("Put", "ann", "PERMISSION_DENIED"),
            ("Get", "bob", "PERMISSION_DENIED"),
            ("Get", "repo:shop/web:ref:refs/heads/main", "NOT_FOUND"),
            ("Get", "größer ∞", "PERMISSION_DENIED"),
        ]:
            self.assertEqual(self.outcome(method, token("RS256", sub=subject)), expected, (method, subject))

    def test_3_what_is_not_valid_is_refused_with_one_text(self):
        now = int(time.time())
        public = KEYS["RS256"].public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        stranger = ed25519.Ed25519PrivateKey.generate()
        refused = {
            "expired": token("RS256", exp=now - 120),
            "without an end": token("RS256", exp=None),
            "not in force yet": token("RS256", nbf=now + 120),
            "another issuer": token("RS256", iss="https://evil.example.org"),
            "another audience": token("RS256", aud="billing"),
            "no audience": token("RS256", aud=None),
            "no subject": token("RS256", sub=None),
            "another key": token("EdDSA", key=stranger),
            "no kid": token("EdDSA", headers={"kid": None}),
            "an unknown kid": token("EdDSA", headers={"kid": "x"}),
            "the public key as a secret": under_a_secret(public, token("RS256")),
            "not signed": token("none", key=None, headers={"kid": "RS256"}),
            "cut": token("RS256")[:-3],
        }
        texts = set()
        for what, bearer in refused.items():
            code, text = self.call("Get", bearer)
            self.assertEqual(code, "UNAUTHENTICATED", what)
            texts.add(text)
        self.assertEqual(len(texts), 1, texts)

    def test_4_rotated_keys_count_after_sighup_and_a_bad_file_is_refused(self):
        old = token("RS256")
        self.assertEqual(self.outcome("Get", old), "NOT_FOUND")
        rotated = rsa.generate_private_key(65537, 2048)
        JWKS.write_text("{")
        self.hang_up_until(lambda: "keys of issuers" in health())
        self.assertEqual(self.outcome("Get", old), "NOT_FOUND", "the old keys stay")
        write({"RS256": rotated})
        self.hang_up_until(lambda: self.outcome("Get", token("RS256", key=rotated)) == "NOT_FOUND")
        self.assertEqual(self.outcome("Get", old), "UNAUTHENTICATED")
        self.assertNotIn("keys of issuers", health())

    def hang_up_until(self, condition):
        os.kill(NODE, signal.SIGHUP)
        end = time.monotonic() + target.PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, "the new keys do not count")
            time.sleep(0.05)


if __name__ == "__main__":
    unittest.main()
