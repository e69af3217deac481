"""The nouns of Assay: frozen records that every floor shares.

Times are whole seconds since the epoch, UTC. Records compare by value and are never changed in place;
a new version is made with ``msgspec.structs.replace``. ``revision`` starts at 1 and grows by one with each
stored change, so that a writer can say which version it decided upon (decisions D29).
"""

from __future__ import annotations

from assay.model.base import DriftKind as DriftKind
from assay.model.base import IssuerCheck as IssuerCheck
from assay.model.base import JwtTemplateType as JwtTemplateType
from assay.model.base import KeyState as KeyState
from assay.model.base import KeyType as KeyType
from assay.model.base import Kind as Kind
from assay.model.base import MemberStatus as MemberStatus
from assay.model.base import Outcome as Outcome
from assay.model.base import Record as Record
from assay.model.base import RedirectUse as RedirectUse
from assay.model.base import Replay as Replay
from assay.model.base import SessionJwtAlgorithm as SessionJwtAlgorithm
from assay.model.base import SubjectKind as SubjectKind
from assay.model.base import UserStatus as UserStatus
from assay.model.base import Vertical as Vertical
from assay.model.operators import OperatorLink as OperatorLink
from assay.model.operators import OperatorPassword as OperatorPassword
from assay.model.people import Member as Member
from assay.model.people import Organization as Organization
from assay.model.people import OrganizationSettings as OrganizationSettings
from assay.model.people import RetiredEmail as RetiredEmail
from assay.model.people import User as User
from assay.model.people import UserName as UserName
from assay.model.records import Attempt as Attempt
from assay.model.records import AttemptCount as AttemptCount
from assay.model.records import DriftNotice as DriftNotice
from assay.model.records import Event as Event
from assay.model.records import NumberedAttempt as NumberedAttempt
from assay.model.records import NumberedEvent as NumberedEvent
from assay.model.records import Observations as Observations
from assay.model.records import PersonCounts as PersonCounts
from assay.model.records import ReplayMark as ReplayMark
from assay.model.sessions import Factor as Factor
from assay.model.sessions import Session as Session
from assay.model.sessions import SessionView as SessionView
from assay.model.tenancy import Caller as Caller
from assay.model.tenancy import Environment as Environment
from assay.model.tenancy import EnvironmentCounts as EnvironmentCounts
from assay.model.tenancy import EnvironmentSettings as EnvironmentSettings
from assay.model.tenancy import JwtTemplate as JwtTemplate
from assay.model.tenancy import Project as Project
from assay.model.tenancy import PublicToken as PublicToken
from assay.model.tenancy import RedirectUrl as RedirectUrl
from assay.model.tenancy import RedirectUrlType as RedirectUrlType
from assay.model.tenancy import Secret as Secret
from assay.model.tenancy import SigningKey as SigningKey
from assay.model.tenancy import WorkspaceKey as WorkspaceKey
from assay.model.trust import DEFAULT_TYPES as DEFAULT_TYPES
from assay.model.trust import KeptKeys as KeptKeys
from assay.model.trust import PemFile as PemFile
from assay.model.trust import Profile as Profile
