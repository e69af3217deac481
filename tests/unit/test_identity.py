"""The linking decision, case by case (decisions D2 to D5, D20, D21)."""

from __future__ import annotations

import msgspec
import pytest

from assay import errors
from assay.model import Member, Organization, RetiredEmail, User, UserName
from assay.rules import identity as linking
from assay.rules.identity import Linked, NewOrganization, NewPerson
from assay.rules.mapping import Identity
from assay.rules.permissions import DEFAULT_POLICY

ISSUER = "https://issuer.example"
OTHER_ISSUER = "https://other.example"


def identity(**changes: object) -> Identity:
    usual = Identity(
        issuer=ISSUER,
        token_id="t1",
        email="ada@example.com",
        email_verified="verified",
        external_id=None,
        organization=None,
        organization_name=None,
        role_ids=None,
    )
    return msgspec.structs.replace(usual, **changes)


def member(**changes: object) -> Member:
    usual = Member(
        environment_id="e",
        organization_id="o",
        member_id="member-a",
        email="ada@example.com",
        email_verified=True,
        created_at=1,
        updated_at=1,
    )
    return msgspec.structs.replace(usual, **changes)


def organization(organization_id: str) -> Organization:
    return Organization(
        environment_id="e", organization_id=organization_id, name="A", slug="a", created_at=1, updated_at=1
    )


def link(
    who: Identity, by_external_id: Member | None, by_email: Member | None, *, can_jit: bool = False
) -> Linked | NewPerson:
    return linking.link(who, by_external_id, by_email, can_jit=can_jit, not_found=errors.MemberNotFound)


NOBODY = "nobody has this external id or address, and the profile may not make anybody"
ADA = member()
BEN = member(member_id="member-b", email="ben@example.com")
ADA_NAMED = member(external_id="x1", external_id_issuer=ISSUER)
ADA_NAMED_BY_API = member(external_id="x1", external_id_issuer=None)
ADA_NAMED_ELSEWHERE = member(external_id="x1", external_id_issuer=OTHER_ISSUER)
ADA_NAMED_OTHERWISE = member(external_id="x2", external_id_issuer=ISSUER)
ADA_NAMED_OTHERWISE_BY_API = member(external_id="x2", external_id_issuer=None)
RETIRED = member(
    member_id="member-c",
    email="new@example.com",
    retired_emails=(RetiredEmail(email_id="email-1", email_address="old@example.com"),),
)
RETIRED_NAMED = msgspec.structs.replace(RETIRED, member_id="member-a", external_id="x1", external_id_issuer=ISSUER)


@pytest.mark.parametrize(
    ("who", "by_external_id", "by_email", "expected"),
    [
        pytest.param(identity(), None, ADA, "member-a", id="verified mail finds"),
        pytest.param(identity(email_verified="silent"), None, ADA, "member-a", id="silent mail finds"),
        pytest.param(identity(external_id="x1"), ADA_NAMED, ADA_NAMED, "member-a", id="both find the same"),
        pytest.param(identity(external_id="x1"), ADA_NAMED, None, "member-a", id="external id alone finds"),
        pytest.param(
            identity(external_id="x1"), ADA_NAMED_BY_API, None, "member-a", id="external id set by API, any issuer"
        ),
        pytest.param(identity(email=None, external_id="x1"), ADA_NAMED, None, "member-a", id="no mail, external id"),
        pytest.param(
            identity(email="new@example.com", external_id="x1"),
            ADA_NAMED,
            None,
            "member-a",
            id="mail changed at issuer",
        ),
        pytest.param(
            identity(email_verified="unverified", external_id="x1"),
            ADA_NAMED,
            None,
            "member-a",
            id="unverified mail, external id finds",
        ),
        pytest.param(
            identity(email_verified="unverified", external_id="x1", email="ben@example.com"),
            ADA_NAMED,
            BEN,
            "member-a",
            id="somebody's unverified mail does not contradict",
        ),
        pytest.param(identity(external_id="x1"), None, ADA, "member-a", id="mail finds, external id is attached"),
        pytest.param(
            identity(email_verified="silent", external_id="x1"),
            None,
            ADA,
            "member-a",
            id="silent mail finds, external id is attached",
        ),
        pytest.param(
            identity(email="old@example.com", external_id="x1"),
            RETIRED_NAMED,
            RETIRED_NAMED,
            "member-a",
            id="external id finds, mail is a retired one of the same",
        ),
        pytest.param(
            identity(email_verified="unverified", external_id="x1", email="old@example.com"),
            ADA_NAMED,
            RETIRED,
            "member-a",
            id="somebody's retired unverified mail does not contradict",
        ),
        pytest.param(identity(), None, ADA_NAMED_ELSEWHERE, "member-a", id="mail only, in a profile without ids"),
        pytest.param(
            identity(maps_external_id=True), None, ADA_NAMED, "member-a", id="mail only, named by the same issuer"
        ),
        pytest.param(
            identity(maps_external_id=True), None, ADA_NAMED_BY_API, "member-a", id="mail only, named through the API"
        ),
        pytest.param(identity(maps_external_id=True), None, ADA, "member-a", id="mail only, named by nobody"),
    ],
)
def test_the_token_names_one_person(
    who: Identity, by_external_id: Member | None, by_email: Member | None, expected: str
) -> None:
    linked = link(who, by_external_id, by_email)
    assert isinstance(linked, Linked)
    assert linking._id_of(linked.person) == expected


@pytest.mark.parametrize(
    ("who", "by_external_id", "by_email", "refusal", "detail"),
    [
        pytest.param(
            identity(external_id="x1", email="ben@example.com"),
            ADA_NAMED,
            BEN,
            errors.TrustedAuthTokenIdentityConflict,
            "the external id is member-a's, the address member-b's",
            id="external id finds A, mail finds B",
        ),
        pytest.param(
            identity(external_id="x1"),
            None,
            ADA_NAMED_OTHERWISE,
            errors.TrustedAuthTokenIdentityConflict,
            "member-a carries another external id",
            id="the one found by mail carries another external id",
        ),
        pytest.param(
            identity(external_id="x1"),
            None,
            ADA_NAMED_OTHERWISE_BY_API,
            errors.TrustedAuthTokenIdentityConflict,
            "member-a carries another external id",
            id="the one found by mail carries another external id, set through the API",
        ),
        pytest.param(
            identity(external_id="x1"),
            None,
            ADA_NAMED_ELSEWHERE,
            errors.TrustedAuthTokenIdentityConflict,
            "member-a carries another external id",
            id="the one found by mail carries an external id of another issuer",
        ),
        pytest.param(
            identity(maps_external_id=True),
            None,
            ADA_NAMED_ELSEWHERE,
            errors.TrustedAuthTokenIdentityConflict,
            "member-a carries an external id of another issuer, and the token has none",
            id="the issuer leaves out the external id that its profile maps",
        ),
        pytest.param(
            identity(external_id="x1", email=None),
            ADA_NAMED_ELSEWHERE,
            None,
            errors.TrustedAuthTokenIdentityConflict,
            "the external id was attached by another issuer",
            id="the external id belongs to another issuer, no mail",
        ),
        pytest.param(
            identity(external_id="x1", email_verified="unverified"),
            ADA_NAMED_ELSEWHERE,
            ADA_NAMED_ELSEWHERE,
            errors.TrustedAuthTokenIdentityConflict,
            "the external id was attached by another issuer",
            id="the external id belongs to another issuer, unverified mail",
        ),
        pytest.param(
            identity(external_id="x1", email="old@example.com"),
            ADA_NAMED,
            RETIRED,
            errors.TrustedAuthTokenIdentityConflict,
            "the external id is member-a's, the address member-c's",
            id="external id finds A, mail is a retired one of another",
        ),
        pytest.param(
            identity(external_id="x1"),
            ADA_NAMED_ELSEWHERE,
            ADA_NAMED_ELSEWHERE,
            errors.TrustedAuthTokenIdentityConflict,
            "the external id was attached by another issuer",
            id="the external id belongs to another issuer",
        ),
        pytest.param(
            identity(email="old@example.com"),
            None,
            member(retired_emails=(RetiredEmail(email_id="email-1", email_address="old@example.com"),)),
            errors.TrustedAuthTokenIdentityConflict,
            "the address is a retired one of member-a",
            id="the mail is a retired one",
        ),
        pytest.param(
            identity(email_verified="unverified"),
            None,
            ADA,
            errors.TrustedAuthTokenEmailNotVerified,
            "",
            id="unverified mail does not find",
        ),
        pytest.param(
            identity(email_verified="unverified", external_id="x1"),
            None,
            ADA,
            errors.TrustedAuthTokenEmailNotVerified,
            "",
            id="unverified mail does not attach an external id",
        ),
        pytest.param(identity(), None, None, errors.MemberNotFound, NOBODY, id="nobody, and nobody may be made"),
        pytest.param(
            identity(email=None, external_id="x1"),
            None,
            None,
            errors.MemberNotFound,
            NOBODY,
            id="nobody by external id",
        ),
    ],
)
def test_what_is_not_one_person_is_refused(
    who: Identity, by_external_id: Member | None, by_email: Member | None, refusal: type[errors.Error], detail: str
) -> None:
    with pytest.raises(refusal) as refused:
        link(who, by_external_id, by_email)
    assert refused.value.detail == detail


def test_an_attached_external_id_remembers_the_issuer() -> None:
    linked = link(identity(external_id="x1"), None, ADA)
    assert isinstance(linked, Linked)
    assert linked.changed
    assert linked.notes == ("external id attached",)
    assert (linked.person.external_id, linked.person.external_id_issuer) == ("x1", ISSUER)


def test_an_unchanged_person_is_not_written() -> None:
    linked = link(identity(), None, ADA)
    assert isinstance(linked, Linked)
    assert linked == Linked(person=ADA, changed=False)
    named = link(identity(external_id="x1"), ADA_NAMED, ADA_NAMED)
    assert named == Linked(person=ADA_NAMED, changed=False)


@pytest.mark.parametrize("status", ["pending", "invited"])
def test_whoever_logs_in_becomes_active(status: str) -> None:
    linked = link(identity(), None, member(status=status))
    assert isinstance(linked, Linked)
    assert linked.person.status == "active"
    assert linked.changed
    assert linked.notes == (f"{status} became active",)


def test_a_verified_address_verifies_the_same_address_only() -> None:
    unverified = member(email_verified=False, external_id="x1", external_id_issuer=ISSUER)
    same = link(identity(external_id="x1"), unverified, unverified)
    other = link(identity(external_id="x1", email="new@example.com"), unverified, None)
    silent = link(identity(external_id="x1", email_verified="silent"), unverified, unverified)
    assert isinstance(same, Linked)
    assert isinstance(other, Linked)
    assert isinstance(silent, Linked)
    assert same.person.email_verified
    assert same.notes == ("address verified by the issuer",)
    assert not other.person.email_verified
    assert not silent.person.email_verified


def test_a_changed_address_is_noted_and_not_copied() -> None:
    linked = link(identity(external_id="x1", email="new@example.com"), ADA_NAMED, None)
    assert isinstance(linked, Linked)
    assert linked.person.email == "ada@example.com"
    assert linked.notes == ("the issuer has another address than the one stored",)


@pytest.mark.parametrize(("verified", "expected"), [("verified", True), ("silent", False)])
def test_just_in_time_takes_over_only_verified_as_verified(verified: str, expected: bool) -> None:
    made = link(identity(email_verified=verified, external_id="x1"), None, None, can_jit=True)
    assert made == NewPerson(email="ada@example.com", email_verified=expected, external_id="x1", issuer=ISSUER)


def test_just_in_time_does_not_make_anybody_by_an_unverified_address() -> None:
    with pytest.raises(errors.TrustedAuthTokenEmailNotVerified):
        link(identity(email_verified="unverified", external_id="x1"), None, None, can_jit=True)


def test_a_conflict_between_users_names_both() -> None:
    one = User(environment_id="e", user_id="user-a", email="ada@example.com", created_at=1, updated_at=1)
    other = msgspec.structs.replace(one, user_id="user-b", email="ben@example.com")
    with pytest.raises(errors.TrustedAuthTokenIdentityConflict) as refused:
        linking.link(identity(external_id="x1"), one, other, can_jit=False, not_found=errors.UserNotFound)
    assert refused.value.detail == "the external id is user-a's, the address user-b's"


def test_users_are_linked_alike() -> None:
    user = User(environment_id="e", user_id="user-a", email="ada@example.com", created_at=1, updated_at=1)
    linked = linking.link(identity(external_id="x1"), None, user, can_jit=False, not_found=errors.UserNotFound)
    assert isinstance(linked, Linked)
    assert linked.person.external_id == "x1"


def test_nobody_is_made_while_somebody_is_found() -> None:
    """Just-in-time provisioning turns no conflict into a second person."""
    for who, by_external_id, by_email in (
        (identity(external_id="x1"), ADA_NAMED_ELSEWHERE, None),
        (identity(external_id="x1"), None, ADA_NAMED_OTHERWISE),
        (identity(email="old@example.com"), None, RETIRED),
        (identity(maps_external_id=True), None, ADA_NAMED_ELSEWHERE),
    ):
        with pytest.raises(errors.TrustedAuthTokenIdentityConflict):
            link(who, by_external_id, by_email, can_jit=True)
    assert isinstance(link(identity(), None, ADA, can_jit=True), Linked)


def test_somebody_without_mail_is_made_by_external_id_alone() -> None:
    made = link(identity(email=None, external_id="x1", email_verified="silent"), None, None, can_jit=True)
    assert made == NewPerson(email=None, email_verified=False, external_id="x1", issuer=ISSUER)


def test_somebody_without_external_id_is_made_by_mail_alone() -> None:
    made = link(identity(), None, None, can_jit=True)
    assert made == NewPerson(email="ada@example.com", email_verified=True, external_id=None, issuer=ISSUER)


# ---------------------------------------------------------------- name and metadata


def test_somebody_new_has_name_and_metadata_of_the_token() -> None:
    made = link(identity(name="Ada", trusted_metadata={"plan": "pro", "team": None}), None, None, can_jit=True)
    assert isinstance(made, NewPerson)
    assert (made.name, made.trusted_metadata) == ("Ada", {"plan": "pro"})


@pytest.mark.parametrize(("before", "after"), [(None, "Ada"), ("", "Ada"), ("Countess", "Countess")])
def test_a_name_is_taken_where_there_is_none(before: str | None, after: str) -> None:
    linked = link(identity(name="Ada"), None, member(name=before))
    assert isinstance(linked, Linked)
    assert linked.person.name == after
    assert linked.changed == (before != after)
    assert linked.notes == (("name taken from the token",) if before != after else ())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ada", UserName(first_name="Ada")),
        ("Ada King Lovelace", UserName(first_name="Ada", last_name="King Lovelace")),
    ],
)
def test_the_name_of_a_user_is_split_at_the_first_space(name: str, expected: UserName) -> None:
    user = User(environment_id="e", user_id="user-a", email=None, created_at=1, updated_at=1)
    assert linking.with_name(user, name).name == expected


def test_metadata_of_the_token_replaces_its_own_keys_only() -> None:
    before = member(trusted_metadata={"plan": "free", "team": 1, "ours": True})
    linked = link(identity(trusted_metadata={"plan": "pro", "team": None, "new": [1]}), None, before)
    assert isinstance(linked, Linked)
    assert linked.changed
    assert linked.person.trusted_metadata == {"plan": "pro", "ours": True, "new": [1]}
    assert isinstance(linked.person, Member)
    again = link(identity(trusted_metadata={"plan": "pro", "team": None, "new": [1]}), None, linked.person)
    assert again == Linked(person=linked.person, changed=False)


@pytest.mark.parametrize(
    "held",
    [
        pytest.param({"big": "x" * 4090}, id="too long together"),
        pytest.param({f"k{number}": 1 for number in range(20)}, id="too many keys together"),
    ],
)
def test_metadata_that_does_not_fit_refuses_the_token(held: dict[str, object]) -> None:
    for stored, can_jit in ((member(trusted_metadata=held), False), (None, True)):
        change = {"plan": "pro"} if stored else {**held, "plan": "pro"}
        with pytest.raises(errors.JwtInvalidClaims) as refused:
            link(identity(trusted_metadata=change), None, stored, can_jit=can_jit)
        assert str(refused.value.detail).startswith("the mapped trusted_metadata does not fit")


# ---------------------------------------------------------------- organizations


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        pytest.param((), True, id="no list is for all"),
        pytest.param(("organization-a",), True, id="by id"),
        pytest.param(("customer-1",), True, id="by external id"),
        pytest.param(("other", "customer-1"), True, id="one of several"),
        pytest.param(("other",), False, id="not there"),
        pytest.param(("acme",), False, id="a slug is no name of it"),
        pytest.param(("",), False, id="an empty entry names nobody"),
    ],
)
def test_a_profile_is_for_the_organizations_of_its_list(allowed: tuple[str, ...], expected: bool) -> None:
    acme = msgspec.structs.replace(organization("organization-a"), slug="acme", external_id="customer-1")
    assert linking.is_for(acme, allowed) is expected
    if expected:
        linking.check_organization(acme, allowed)
        return
    with pytest.raises(errors.InvalidTokenOrganizationIdClaim):
        linking.check_organization(acme, allowed)


def test_an_organization_without_external_id_is_in_a_list_by_its_id_alone() -> None:
    assert linking.is_for(organization("organization-a"), ("organization-a",))
    assert not linking.is_for(organization("organization-a"), ("None",))


def test_a_new_organization_is_in_a_list_by_its_external_id_alone() -> None:
    assert linking.is_for(NewOrganization("customer-1", "Acme"), ("customer-1",))
    assert not linking.is_for(NewOrganization("customer-1", "Acme"), ("Acme",))


DIFFERENT = "the token and the request name different organizations"
UNKNOWN = "the token names an unknown organization, the request a known one"
MAY_NOT = "the token names an unknown organization, and the profile may not make one (can_jit_provision)"
ACME = organization("organization-a")
BETA = organization("organization-b")


@pytest.mark.parametrize(
    ("claim", "by_claim", "by_request", "can_jit"),
    [
        pytest.param("acme", ACME, None, False, id="claim alone"),
        pytest.param(None, None, ACME, False, id="request alone"),
        pytest.param(None, None, ACME, True, id="request alone, just in time on"),
        pytest.param("acme", ACME, ACME, False, id="both, the same"),
    ],
)
def test_the_organization_is_the_one_named(
    claim: str | None,
    by_claim: Organization | None,
    by_request: Organization | None,
    can_jit: bool,
) -> None:
    chosen = linking.choose_organization(
        identity(organization=claim),
        named_in_request=by_request is not None,
        by_claim=by_claim,
        by_request=by_request,
        can_jit=can_jit,
    )
    assert chosen == ACME


@pytest.mark.parametrize(
    ("claim", "named", "by_claim", "by_request", "can_jit", "refusal", "detail"),
    [
        pytest.param(None, False, None, None, True, errors.TokenMissingOrganizationIdClaim, "", id="named nowhere"),
        pytest.param(None, True, None, None, True, errors.OrganizationNotFound, "", id="unknown in the request"),
        pytest.param(
            "acme", True, ACME, None, True, errors.OrganizationNotFound, "", id="unknown beside a known claim"
        ),
        pytest.param(
            "acme", True, ACME, BETA, True, errors.InvalidTokenOrganizationIdClaim, DIFFERENT, id="they differ"
        ),
        pytest.param(
            "new", False, None, None, False, errors.InvalidTokenOrganizationIdClaim, MAY_NOT, id="unknown claim"
        ),
        pytest.param(
            "new",
            True,
            None,
            BETA,
            True,
            errors.InvalidTokenOrganizationIdClaim,
            UNKNOWN,
            id="unknown claim, known request",
        ),
        pytest.param(
            "organization-test-01a208a2-7775-7816-9c49-01fdb697237e",
            False,
            None,
            None,
            True,
            errors.InvalidTokenOrganizationIdClaim,
            "the token's organization has the form of our own ids",
            id="unknown claim in the form of our ids",
        ),
    ],
)
def test_an_organization_that_is_not_clear_is_refused(
    claim: str | None,
    named: bool,
    by_claim: Organization | None,
    by_request: Organization | None,
    can_jit: bool,
    refusal: type[errors.Error],
    detail: str,
) -> None:
    with pytest.raises(refusal) as refused:
        linking.choose_organization(
            identity(organization=claim),
            named_in_request=named,
            by_claim=by_claim,
            by_request=by_request,
            can_jit=can_jit,
        )
    assert refused.value.detail == detail


@pytest.mark.parametrize(("name", "expected"), [(None, "icfg_1"), ("Acme", "Acme"), ("n" * 200, "n" * 128)])
def test_a_just_in_time_organization_is_named_by_its_claims(name: str | None, expected: str) -> None:
    chosen = linking.choose_organization(
        identity(organization="icfg_1", organization_name=name),
        named_in_request=False,
        by_claim=None,
        by_request=None,
        can_jit=True,
    )
    assert chosen == NewOrganization("icfg_1", expected)


# ---------------------------------------------------------------- roles


def test_roles_of_a_token_replace_those_of_its_profile_only() -> None:
    before = member(token_roles={"p1": ("stytch_admin",), "p2": ("stytch_admin",)})
    linked = linking.with_token_roles(before, "p1", (), DEFAULT_POLICY["b2b"])
    assert linked.changed
    assert linked.person.token_roles == {"p2": ("stytch_admin",)}


def test_unknown_roles_are_left_out_and_noted() -> None:
    linked = linking.with_token_roles(ADA, "p1", ("stytch_admin", "captain", "cook"), DEFAULT_POLICY["b2b"])
    assert linked.person.token_roles == {"p1": ("stytch_admin",)}
    assert linked.notes == ("unknown roles left out: 'captain, cook'",)


def test_the_note_of_unknown_roles_is_cut_short() -> None:
    linked = linking.with_token_roles(ADA, "p1", ("c" * 300,), DEFAULT_POLICY["b2b"])
    assert linked == Linked(person=ADA, changed=False, notes=(f"unknown roles left out: {'c' * 200!r}",))


def test_the_same_roles_again_change_nothing() -> None:
    before = member(token_roles={"p1": ("stytch_admin",)})
    linked = linking.with_token_roles(before, "p1", ("stytch_admin",), DEFAULT_POLICY["b2b"])
    assert linked == Linked(person=before, changed=False)
