"""Bugs about accounts: handles, addresses that strangers choose, removal."""

from tests.mutation.mutant import Mutant

_SSRF = "tests/identity/test_ssrf.py::test_"
_HANDLES = "tests/identity/test_handles.py::test_"
_ASKING = "tests/integration/test_removal_asking.py::test_"
_STALE = "tests/integration/test_removal_stale.py::test_"

MUTANTS = (
    Mutant(
        "a handle is taken without the way back",
        "identity/handles.py",
        'return Verified() if by_dns == did else Refuted("other_did")',
        "return Verified()",
        (_HANDLES + "rule_dns_wins_over_https",),
    ),
    Mutant(
        "a handle that was refuted is set",
        "identity/resolver.py",
        "return Found(did, None, answer.content, answer.fetched_ms, proof.cause)\n        if",
        "return Found(did, claims.handle.lower(), answer.content, answer.fetched_ms)\n        if",
        ("tests/identity/test_resolver.py::test_rule_a_handle_that_resolves_to_another_did_is_null",),
    ),
    Mutant(
        "an outage of our name servers counts against the handle",
        "identity/handles.py",
        'if "dns" in (by_dns.cause, https.cause) and not await self._names.work(since):',
        "if False:",
        (_HANDLES + "undecided_while_our_name_servers_do_not_answer",),
    ),
    Mutant(
        "addresses are not judged before the request",
        "identity/http.py",
        "if self._allow_private or is_public(address)]",
        "]",
        (_SSRF + "no_name_of_such_an_address_is_connected_to",),
    ),
    Mutant(
        "sockets are made for any address",
        "identity/http.py",
        "(port != 443 or zone or not is_public(address))",
        "(port != 443 or zone)",
        (_SSRF + "the_socket_itself_is_not_made_for_such_an_address",),
    ),
    Mutant(
        "link-local addresses are public",
        "identity/addresses.py",
        '        "169.254.0.0/16",  # link-local, with the metadata services of most clouds\n',
        "",
        ("tests/identity/test_addresses.py::test_an_address_that_is_not_public_is_refused",),
    ),
    Mutant(
        "a redirect is not judged like the first URL",
        "identity/http.py",
        'goal = redirected(goal, answer.location or "", allow_private=self._allow_private)',
        'goal = redirected(goal, answer.location or "", allow_private=True)',
        (_SSRF + "no_redirect_leads_to_such_a_target",),
    ),
    Mutant(
        "redirects are followed without being asked for",
        "identity/http.py",
        "allow_redirects=False",
        "allow_redirects=True",
        ("tests/identity/test_http.py::test_no_redirect_is_followed_unless_wanted",),
    ),
    Mutant(
        "an account that its PDS still hosts is removed",
        "removal/worker.py",
        "                await self._jobs.hosted(job)\n",
        "                await self._jobs.gone(job, hosting.cause)\n",
        (_ASKING + "rule_an_account_that_the_pds_hosts_stays",),
    ),
    Mutant(
        "an account of which nobody knows is removed",
        "removal/worker.py",
        "await self._jobs.put_off(job, max(pause_s, hosting.retry_after_s or 0), hosting.cause)",
        "await self._jobs.gone(job, hosting.cause)",
        (_ASKING + "rule_a_pds_that_cannot_be_reached_is_asked_again",),
    ),
    Mutant(
        "the mark of a removal is not looked at",
        "sink/stale.py",
        "    if not removals:\n        return events\n",
        "    return events\n",
        (_STALE + "stale_events_are_indexed_and_leave_no_row",),
    ),
    Mutant(
        "the mark takes what is newer, too",
        "sink/stale.py",
        "if not is_newer}",
        "}",
        (_STALE + "newer_events_and_those_of_others_are_applied",),
    ),
    Mutant(
        "batches that did not see the mark are not waited for",
        "removal/worker.py",
        "        return await self._jobs.oldest_number() >= self._numbers[removal]\n",
        "        return True\n",
        ("tests/integration/test_removal_races.py::test_batch_that_did_not_see_the_mark_is_waited_for",),
    ),
)
