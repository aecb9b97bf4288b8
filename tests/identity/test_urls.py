"""One spelling of a host is understood, every other one refused."""

import pytest

from indexer.identity.outcomes import Failure
from indexer.identity.urls import Target, is_host_name, is_url, redirected, target

ODD_HOSTS = (
    "2130706433",
    "0x7f000001",
    "0x7F.1",
    "017700000001",
    "0177.0.0.1",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "1.1.1.1.",
    "1.1.1.01",
    "1.1.1.256",
    "1.1.1.1.1",
    "1.1.1",
    "0x",
    "example.0x",
    "example.0xa",
    "example.123",
    "localhost",
    "intranet",
    "example.com.",
    ".example.com",
    "example..com",
    "-a.example",
    "a-.example",
    f"{'a' * 64}.example",
    f"{'a.' * 127}com",
    "exa%6dple.com",
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "bücher.example",
    "１２７.0.0.1",
    "127。0。0。1",
    "①②⑦.0.0.1",
    "exam\u00adple.com",
    "user@example.com",
    "user:password@example.com",
    "example.com@127.0.0.1",
    "example.com\\@127.0.0.1",
    "example.com ",
    " example.com",
    "exa mple.com",
    "example.com\t",
    "example.com\n",
    "exa\nmple.com",
    "example.com\x00",
    "[::1",
    "[::1]]",
    "[::1%25eth0]",
    "[::1%eth0]",
    "[fe80::1%251]",
    "[::ffff:127.1]",
    "[::ffff:0x7f000001]",
    "[v1.fe80]",
    "::1",
    "",
    "*.example.com",
    "a,b.example",
    "example.com:443:80",
    "example.com:",
    "example.com:x",
    "example.com:0",
    "example.com:65536",
    "example.com:99999999999",
)


@pytest.mark.parametrize("host", ODD_HOSTS)
def test_an_odd_spelling_of_a_host_is_refused(host: str) -> None:
    assert target(f"https://{host}/x", allow_private=False) == Failure("bad_url")
    assert not is_host_name(host)


@pytest.mark.parametrize("scheme", ["HTTPS", "ftp", "file", "gopher", "ws", "https:", " https", "//example.com", ""])
def test_another_scheme_is_refused(scheme: str) -> None:
    assert target(f"{scheme}://example.com/", allow_private=True) == Failure("bad_url")


@pytest.mark.parametrize(
    "url", ["http://example.com/", "https://example.com:80/", "https://example.com:8443/", "http://example.com:443/"]
)
def test_only_https_on_port_443_may_be_asked(url: str) -> None:
    assert target(url, allow_private=False) == Failure("forbidden_port")
    assert isinstance(target(url, allow_private=True), Target)


def test_a_target_is_what_will_be_asked() -> None:
    assert target("https://Example.COM", allow_private=False) == Target("https", "example.com", 443, "/")
    assert target("https://a_b.example:443/x?y#z", allow_private=False) == Target("https", "a_b.example", 443, "/x?y")
    assert target("https://45.0.0.1/", allow_private=False) == Target("https", "45.0.0.1", 443, "/")
    assert target("https://[2606:4700:0:0:0:0:0:1]?q", allow_private=False) == Target(
        "https", "2606:4700::1", 443, "/?q"
    )
    local = target("http://localhost:2583/x", allow_private=True)
    assert isinstance(local, Target)
    assert (local.origin, local.url) == ("http://localhost:2583", "http://localhost:2583/x")
    address = target("https://[::1]:8443", allow_private=True)
    assert isinstance(address, Target)
    assert address.is_address
    assert address.url == "https://[::1]:8443/"


def test_a_path_beyond_ascii_is_encoded() -> None:
    goal = target("https://example.com/é b?%C3", allow_private=False)
    assert isinstance(goal, Target)
    assert goal.path == "/%C3%A9%20b?%C3"
    assert target("https://example.com/\udcff", allow_private=False) == Failure("bad_url")


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/b", "https://example.com/b"),
        ("b", "https://example.com/x/b"),
        ("?q", "https://example.com/x/a?q"),
        ("//other.example/c", "https://other.example/c"),
        ("https://other.example", "https://other.example/"),
        ("../../..", "https://example.com/"),
    ],
)
def test_a_redirect_leads_to_another_target(location: str, url: str) -> None:
    goal = redirected(Target("https", "example.com", 443, "/x/a"), location, allow_private=False)
    assert isinstance(goal, Target)
    assert goal.url == url


@pytest.mark.parametrize(
    "location",
    [
        *(f"https://{host}/" for host in ODD_HOSTS if host.isprintable() and host.isascii() and "\\" not in host),
        "http://example.com/",
        "https://example.com:8080/",
        "//127.1/",
        "\\\\127.0.0.1\\x",
        "https:\\\\127.0.0.1",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://[bad",
        "///example.com",
    ],
)
def test_a_redirect_is_judged_like_any_url(location: str) -> None:
    goal = redirected(Target("https", "example.com", 443, "/x/a"), location, allow_private=False)
    # Software that reads a backslash as a slash, or ignores blanks, would go elsewhere; here it is a path of this host.
    assert isinstance(goal, Failure) or goal.host == "example.com"


@pytest.mark.parametrize(
    "url",
    [
        "https://pds.example",
        "http://pds.example:3000/path?q#f",
        "https://localhost",
        "https://127.0.0.1",
        "https://127.1",
        "https://0x7f000001/",
        "https://[::1]:80",
        "https://user:pw@pds.example",
        "https:///pds.example",
        "https://bücher.example",
        "https://pds.example:",
        "https://pds.example:000000443",
        "https://pds.example.",
        "https://a_b",
    ],
)
def test_what_a_browser_reads_as_a_url_with_a_host_is_one(url: str) -> None:
    assert is_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https:///",
        "https://?q",
        "https://:80",
        "https://pds.example:65536",
        "https://pds.example:" + "9" * 5000,
        "https://pds.example:x",
        "https://pds example",
        "https://pds<.example",
        "https://[::1",
        "https://[::g]",
        "https://1.2.3.4.5",
        "https://256.256.256.256",
        "https://pds.0x",
        "https://a%00b.example",
        "HTTPS://pds.example",
        "ftp://pds.example",
        "pds.example",
        " https://pds.example",
    ],
)
def test_what_no_browser_reads_as_a_url_is_none(url: str) -> None:
    assert not is_url(url)
