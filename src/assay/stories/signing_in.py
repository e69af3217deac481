"""Operators come in: by a one-time link, by password, or by a trusted auth token; and out again.

Their sessions are ordinary sessions of Assay's own environment, which also end when nobody used them for a while.
"""

from __future__ import annotations

import hashlib
import secrets

import msgspec

from assay import errors, store
from assay.keys import passwords
from assay.model import Environment, OperatorPassword, SessionView, User
from assay.rules import names, session_ids, session_jwt
from assay.stories import attest, authority, internal, opening, operators
from assay.stories.changes import until_current
from assay.stories.context import Call, Context, Operator
from assay.stories.operators import SignedIn

IDLE_SECONDS = 30 * 60
SESSION_MINUTES = 12 * 60
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 256

FREE_TRIES, LONGEST_BLOCK_SECONDS = 5, 60
"""Of one account. A block is short, for it also keeps its owner out, and still leaves a guesser one try a minute."""
FREE_TRIES_OF_ADDRESS, LONGEST_BLOCK_OF_ADDRESS_SECONDS = 20, 300
_FORGOTTEN_SECONDS = 24 * 3600
_TOUCH_SECONDS = 60
_MAX_TRIES = 8


class Came(msgspec.Struct, frozen=True, kw_only=True):
    """An operator who just signed in, and the token of the new session, which goes into a cookie and nowhere else."""

    signed_in: SignedIn
    session_token: str


class LinkHolder(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a one-time link is for; None: the first operator of all, who says so."""

    email: str | None


async def recognize(ctx: Context, session_token: str) -> SignedIn | None:
    """Whose session this is; None when it is none, has ended, was idle too long, or its operator has no role."""
    environment = await internal.find(ctx)
    view = await _view(ctx, environment, session_token) if environment else None
    if environment is None or view is None or view.user is None:
        return None
    now, session = int(ctx.clock()), view.session
    if not opening.is_live(view, now) or now - session.last_accessed_at >= IDLE_SECONDS:
        return None
    policy = await authority.policy_of(ctx, environment)
    role = operators.greatest(session_jwt.roles(view, environment, policy))
    if role is None:
        return None
    if now - session.last_accessed_at >= _TOUCH_SECONDS:
        await _touch(ctx, view, now)
    return SignedIn(
        operator_id=view.user.user_id,
        email=view.user.email or view.user.user_id,
        role=role,
        session_id=session_ids.session_id(session),
        ends_at=session.expires_at,
    )


async def with_password(ctx: Context, email: str, password: str, address: str, request_id: str) -> Came:
    """Sign in. ``address`` is where the request came from.

    A try is counted before the password is looked at, so that many at once are no way around it. Whether the account
    exists shows neither in the answer nor in the time it takes. Raises WrongOperatorCredentials, TooManySignIns.
    """
    account = email.strip().lower()
    counted = _counts(ctx, account, address)
    await _count(ctx, counted)
    call = await internal.caller(ctx, request_id)
    user = await _find(ctx, call.environment, account)
    kept = await ctx.store.operator_password(user.user_id) if user and user.status == "active" else None
    right = await passwords.is_right(password, kept.password_hash if kept else None)
    if user is None or kept is None or not right:
        await _record(ctx, call, "operator.sign_in_refused", user.user_id if user else "unknown", address=address)
        raise errors.WrongOperatorCredentials
    came = await _start(ctx, call, user, by="password", address=address)
    if await ctx.store.operator_password(user.user_id) != kept:
        # The password was changed while the old one was looked at: what that opened must not stay open.
        await sign_out(ctx, came.session_token, request_id)
        raise errors.WrongOperatorCredentials
    await ctx.store.write(store.ForgetSignIns(names=tuple(each.name for each in counted)))
    return came


async def with_token(ctx: Context, profile_id: str, token: str, address: str, request_id: str) -> Came:
    """Sign in with a token that a profile of Assay's own environment trusts: its attest is the one of everybody.

    Raises TooManySignIns, OperatorHasNoRole, and as :func:`attest.attest`.
    """
    counted = _counts(ctx, None, address)
    await _count(ctx, counted)
    call = await internal.caller(ctx, request_id)
    request = attest.AttestRequest(profile_id=profile_id, token=token, session_duration_minutes=SESSION_MINUTES)
    granted = await attest.attest(ctx, call, request)
    signed_in = await recognize(ctx, granted.session_token)
    if signed_in is None:
        await sign_out(ctx, granted.session_token, request_id)
        raise errors.OperatorHasNoRole
    await _record(ctx, call, "operator.signed_in", signed_in.operator_id, by="token", address=address)
    await ctx.store.write(store.ForgetSignIns(names=tuple(each.name for each in counted)))
    return Came(signed_in=signed_in, session_token=granted.session_token)


async def holder_of(ctx: Context, link_token: str) -> LinkHolder:
    """Whom a one-time link is for; looking uses nothing up. Raises OperatorLinkNotFound."""
    link = await ctx.store.operator_link(operators.link_hash(link_token), int(ctx.clock()))
    if link is None:
        raise errors.OperatorLinkNotFound
    if link.user_id is None:
        return LinkHolder(email=None)
    try:
        user = await operators.require(ctx, link.user_id)
    except errors.OperatorNotFound:
        raise errors.OperatorLinkNotFound from None
    return LinkHolder(email=user.email)


async def with_link(ctx: Context, link_token: str, email: str, password: str, request_id: str) -> Came:
    """Follow a one-time link: the password is set, all older sessions end, and a new one starts.

    ``email`` counts only where the link is for the first operator of all. Raises OperatorLinkNotFound, InvalidEmail,
    WeakPassword.
    """
    call = await internal.caller(ctx, request_id)
    environment_id = call.environment.environment_id
    link_hash = operators.link_hash(link_token)
    holder = await holder_of(ctx, link_token)
    _check_password(password, names.email(holder.email or email))
    password_hash = await passwords.hashed(password)

    async def once() -> User:
        now = int(ctx.clock())
        link = await ctx.store.operator_link(link_hash, now)
        if link is None:
            raise errors.OperatorLinkNotFound
        is_new = link.user_id is None
        before = (
            operators.new_user(environment_id, names.email(email), "owner", now)
            if link.user_id is None
            else await operators.require(ctx, link.user_id)
        )
        user = msgspec.structs.replace(before, status="active", email_verified=not is_new, updated_at=now)
        write = store.UseOperatorLink(
            token_hash=link_hash,
            user=user,
            is_new=is_new,
            password=OperatorPassword(user_id=user.user_id, password_hash=password_hash, changed_at=now),
            now=now,
            events=(
                Operator(name=user.email or "", request_id=request_id).event(
                    environment_id, "operator.joined", user.user_id, now, first=is_new
                ),
            ),
        )
        await ctx.store.write(write)
        return user

    user = await until_current(once)
    return await _start(ctx, call, user, by="link")


async def change_password(ctx: Context, who: SignedIn, old: str, new: str, *, address: str, request_id: str) -> Came:
    """Another password: all sessions of the operator end, and a new one starts.

    Raises WrongOperatorCredentials, WeakPassword, TooManySignIns.
    """
    await _count(ctx, _counts(ctx, who.email, address))
    call = await internal.caller(ctx, request_id)
    kept = await ctx.store.operator_password(who.operator_id)
    if not await passwords.is_right(old, kept.password_hash if kept else None) or kept is None:
        raise errors.WrongOperatorCredentials("This is not your password.")
    _check_password(new, who.email)
    environment_id, now = call.environment.environment_id, int(ctx.clock())
    event = Operator(name=who.email, request_id=request_id).event(
        environment_id, "operator.password_changed", who.operator_id, now
    )
    password = OperatorPassword(user_id=who.operator_id, password_hash=await passwords.hashed(new), changed_at=now)
    try:
        await ctx.store.write(
            store.ReplaceOperatorPassword(
                environment_id=environment_id, password=password, expected_hash=kept.password_hash, events=(event,)
            )
        )
    except store.Stale:
        raise errors.WrongOperatorCredentials("Your password was changed meanwhile.") from None
    await ctx.store.write(store.ForgetSignIns(names=(_name("account", who.email),)))
    return await _start(ctx, call, await operators.require(ctx, who.operator_id), by="password")


async def sign_out(ctx: Context, session_token: str, request_id: str) -> None:
    """End the session, if it is one."""
    environment = await internal.find(ctx)
    view = await _view(ctx, environment, session_token) if environment else None
    if view is None:
        return
    now, session = int(ctx.clock()), view.session
    name = (view.user.email if view.user else None) or session.subject_id
    event = Operator(name=name, request_id=request_id).event(
        session.environment_id, "operator.signed_out", session.subject_id, now
    )
    await ctx.store.write(
        store.RevokeSession(
            environment_id=session.environment_id, number=session.number, revoked_at=now, events=(event,)
        )
    )


async def _view(ctx: Context, environment: Environment, session_token: str) -> SessionView | None:
    try:
        number = session_ids.number_of_token(session_token)
    except errors.InvalidSessionToken:
        return None
    view = await ctx.store.session(environment.environment_id, number)
    return view if view is not None and session_ids.opens(view.session, session_token) else None


async def _touch(ctx: Context, view: SessionView, now: int) -> None:
    """Note that the session is in use. If that is lost to somebody who ends it, the next request tells.

    While nothing can be written, operators still see what is wrong, until they would have been idle too long.
    """
    call = await internal.caller(ctx, "")
    guard = store.Guard(environment_id=view.session.environment_id, secret_id=call.caller.secret.secret_id, now=now)
    try:
        await ctx.store.write(store.UpdateSession(number=view.session.number, last_accessed_at=now, guard=guard))
    except (store.Stale, errors.StoreUnavailable):
        return


async def _start(ctx: Context, call: Call, user: User, **how: object) -> Came:
    now = int(ctx.clock())
    environment_id = call.environment.environment_id
    for _ in range(_MAX_TRIES):
        minted = session_ids.mint(ctx.clock(), secrets.token_bytes)
        session = opening.new_session(
            call.environment, user, minted, factors=(), claims={}, minutes=SESSION_MINUTES, now=now
        )
        guard = store.Guard(environment_id=environment_id, secret_id=call.caller.secret.secret_id, now=now)
        actor = Operator(name=user.email or user.user_id, request_id=call.request_id)
        event = actor.event(environment_id, "operator.signed_in", user.user_id, now, **how)
        try:
            await ctx.store.write(store.StartSession(session=session, guard=guard, events=(event,)))
        except store.Conflict:  # the number is taken
            continue
        except store.Stale:
            raise errors.WrongOperatorCredentials from None
        signed_in = await recognize(ctx, minted.token)
        if signed_in is None:
            raise errors.WrongOperatorCredentials
        return Came(signed_in=signed_in, session_token=minted.token)
    raise errors.StoreUnavailable(detail=f"a sign-in met {_MAX_TRIES} taken session numbers in a row")


async def _find(ctx: Context, environment: Environment, account: str) -> User | None:
    _, user = await ctx.store.user_candidates(environment.environment_id, None, account)
    return user


async def _record(ctx: Context, call: Call, action: str, target: str, **details: object) -> None:
    environment_id = call.environment.environment_id
    actor = Operator(name=target, request_id=call.request_id)
    event = actor.event(environment_id, action, target, int(ctx.clock()), **details)
    await ctx.store.write(store.RecordEvents(events=(event,)))


def _check_password(password: str, email: str) -> None:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD or password.lower() == email:
        raise errors.WeakPassword


# ---------------------------------------------------------------- guessing is slowed


def _counts(ctx: Context, account: str | None, address: str) -> tuple[store.SignInCount, ...]:
    now = int(ctx.clock())
    old = now - _FORGOTTEN_SECONDS
    of_address = store.SignInCount(
        name=_name("address", address),
        now=now,
        free=FREE_TRIES_OF_ADDRESS,
        longest=LONGEST_BLOCK_OF_ADDRESS_SECONDS,
        forgotten_before=old,
    )
    if account is None:
        return (of_address,)
    of_account = store.SignInCount(
        name=_name("account", account),
        now=now,
        free=FREE_TRIES,
        longest=LONGEST_BLOCK_SECONDS,
        forgotten_before=old,
    )
    return of_account, of_address


async def _count(ctx: Context, counts: tuple[store.SignInCount, ...]) -> None:
    try:
        await ctx.store.write(store.CountSignIn(counts=counts))
    except store.Stale:
        raise errors.TooManySignIns from None


def _name(kind: str, text: str) -> bytes:
    """What tries are counted under. Not the text itself: people type passwords where their address should stand."""
    return hashlib.sha256(f"{kind} {text}".encode("utf-8", "surrogatepass")).digest()
