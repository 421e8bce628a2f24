"""What the platform's documents leave open, as switches."""

from __future__ import annotations

from datetime import timedelta

import attrs

__all__ = ["Assumptions"]


@attrs.frozen(kw_only=True)
class Assumptions:
    """How the simulator behaves where nothing is documented; the numbers are sections of protocol.md."""

    expires_in_is_time_left: bool = True
    """1.1: a token that is asked for again says how long it is still good for, rather than an hour."""
    revocation_header: str = "RevokedAccessToken"
    """1.1: the header of the answer to a revocation that holds the revoked token; no page names it."""
    exclusive_sessions: bool = False
    """1.2: a log-in ends the user's other sessions."""
    refused_calls_keep_session: bool = True
    """1.2: a call that is refused counts as activity, too."""
    longest_session: timedelta | None = None
    """1.2: the age at which a session ends however busy it is; None for none."""
    expired_session_logs_out: bool = False
    """1.2: logging out of an expired session succeeds, rather than being refused with SessionToken.Expired."""
    session_survives_reset: bool = True
    """1.3: sessions go on after their user's password was reset."""
    wrong_old_password_counts: bool = False
    """1.3: a reset with the wrong password counts as a failed log-in."""
    refused_login_status: int = 400
    """2.4: the status of a refused log-in, of a locked user's too."""
    refused_login_code: str = "UnifiedWebService.INPUT_INVALID.Password.Invalid"
    """2.4: the code for a wrong user or password; the default was seen in one client's tests only."""
    locked_user_code: str = "UnifiedWebService.INPUT_INVALID.Password.Invalid"
    """2.4: the code for a locked user."""
    registering_replaces_listener: bool = True
    """3.2: a listener that is registered again replaces the one before, rather than being refused."""
    capitalised_kinds: bool = True
    """3.4: messages spell the kinds of identifiers `Iccid`, `Imei`, as the samples of failures do, rather than as
    answers or the request spell them."""
    request_time: timedelta = timedelta(seconds=60)
    """3.5: how long a request takes whose result arrives later; documented are minutes, up to 12 hours."""
    failed_request_status: str = "Failed"
    """3.5: how a failed request's status is spelled; the SDKs have `Failure`."""
    pending_suspend_state: str = "pending suspend"
    """4.2: the state of a device whose suspension was accepted."""
    pending_restore_state: str = "pending resume"
    """4.2: the state of a device whose restoration was accepted."""
    provisioning_actions_a_day: int = 5
    """4.2: how often a line may be activated, suspended, restored and deactivated in 24 hours; older pages say two."""
    too_often_code: str = "UnifiedWebService.REQUEST_FAILED.UnexpectedError"
    """4.2: the code for more of these, or more than four changes of plan a month; the default is the catch-all's."""
    device_number_in_pages: bool = True
    """4.3: devices of a page bear the extended attribute DeviceId, without which no page after the first is found."""
    group_page: int = 2000
    """5: how many devices a page of a group's members holds; no page says."""
    last_sms_block_leads_on: bool = True
    """5: the last block of queued messages, too, comes with 202 and a Location, to be acknowledged with. Else it comes
    with 200 and none, and counts as acknowledged."""
    provisioning_history_is_list: bool = True
    """5: provisioning history is a list of one result, as the SDKs say, rather than the result that they show."""
