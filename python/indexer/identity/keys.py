"""Whether a verification method holds a public key that the reference can read (actors.md 2.2).

Nothing is verified with the key. It is read because a document with a malformed one is refused as a whole.
"""

from dataclasses import dataclass

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BASE64_URL = _BASE64[:62] + "-_"
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"

# Multibase prefix: alphabet and bits per character (RFC 4648).
_ALPHABETS = {
    "f": ("0123456789abcdef", 4),
    "F": ("0123456789ABCDEF", 4),
    "b": (_BASE32, 5),
    "B": (_BASE32.upper(), 5),
    "m": (_BASE64, 6),
    "u": (_BASE64_URL, 6),
    "U": (_BASE64_URL, 6),
}

MAX_TEXT = 512  # an uncompressed key has 131 characters in base 16, the longest form


@dataclass(frozen=True, slots=True)
class Curve:
    """y² = x³ + ax + b over the field of a prime that is 3 modulo 4 (SEC 2)."""

    prime: int
    a: int
    b: int

    def has_point(self, x: int, y: int | None = None) -> bool:
        """Whether a point has these coordinates; without y, whether any has this x."""
        if not 0 <= x < self.prime:
            return False
        square = (x**3 + self.a * x + self.b) % self.prime
        if y is None:
            y = pow(square, (self.prime + 1) // 4, self.prime)
        return 0 <= y < self.prime and y * y % self.prime == square


P256 = Curve(
    prime=2**256 - 2**224 + 2**192 + 2**96 - 1,
    a=-3,
    b=0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
)
K256 = Curve(prime=2**256 - 2**32 - 977, a=0, b=7)

_TYPES = {"EcdsaSecp256r1VerificationKey2019": P256, "EcdsaSecp256k1VerificationKey2019": K256}
_MULTICODECS = {b"\x80\x24": P256, b"\xe7\x01": K256}
MULTIKEY = "Multikey"


def is_known(kind: str) -> bool:
    """Whether a verification method of this type can be a signing key at all."""
    return kind == MULTIKEY or kind in _TYPES


def is_key(kind: str, multibase: str) -> bool:
    """Whether the text is a key of the type: a point on its curve, compressed or (not in a Multikey) in full.

    Of a type that is not known only the multibase is judged.
    """
    data = decoded(multibase)
    if data is None:
        return False
    if kind == MULTIKEY:
        curve = _MULTICODECS.get(data[:2])
        return multibase.startswith("z") and curve is not None and len(data) == 35 and _is_point(curve, data[2:])
    return kind not in _TYPES or _is_point(_TYPES[kind], data)


def decoded(multibase: str) -> bytes | None:
    """The bytes of a multibase text; None for a prefix or a character that is not known, or bits left over."""
    if not 1 <= len(multibase) <= MAX_TEXT:
        return None
    prefix, text = multibase[0], multibase[1:]
    if prefix == "z":
        return _base58(text)
    if prefix not in _ALPHABETS:
        return None
    alphabet, width = _ALPHABETS[prefix]
    text = text.rstrip("=")
    number = 0
    for character in text:
        value = alphabet.find(character)
        if value < 0:
            return None
        number = number << width | value
    left_over = len(text) * width % 8
    if left_over >= width or number & (1 << left_over) - 1:
        return None
    return (number >> left_over).to_bytes(len(text) * width // 8)


def _base58(text: str) -> bytes | None:
    number = 0
    for character in text:
        value = _BASE58.find(character)
        if value < 0:
            return None
        number = number * 58 + value
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)


def _is_point(curve: Curve, data: bytes) -> bool:
    """SEC 1 2.3.4: 2 or 3 and x, or 4, x and y."""
    if len(data) == 33 and data[0] in (2, 3):
        return curve.has_point(int.from_bytes(data[1:]))
    return len(data) == 65 and data[0] == 4 and curve.has_point(int.from_bytes(data[1:33]), int.from_bytes(data[33:]))
