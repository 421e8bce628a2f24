"""Switches for behaviour that the platform's documents leave open."""

from __future__ import annotations

from datetime import timedelta

import attrs

__all__ = ["Assumptions"]


@attrs.frozen(kw_only=True)
class Assumptions:
    """How the simulator behaves where nothing is documented; the numbers are sections of PROTOCOL.md."""

    expires_in_is_time_left: bool = True
    """1.1: `expires_in` of a repeated token is its remaining time, rather than always an hour."""
    revocation_header: str = "RevokedAccessToken"
    """1.1: the header with the revoked token in the answer to a revocation; no page names it."""
    exclusive_sessions: bool = False
    """1.2: a login ends the user's other sessions."""
    refused_calls_keep_session: bool = True
    """1.2: a refused call counts as activity too."""
    longest_session: timedelta | None = None
    """1.2: the maximum age of a session, even an active one; None for no limit."""
    expired_session_logs_out: bool = False
    """1.2: a logout from an expired session succeeds, rather than being refused with SessionToken.Expired."""
    session_survives_reset: bool = True
    """1.3: sessions continue after a reset of their user's password."""
    wrong_old_password_counts: bool = False
    """1.3: a reset with the wrong password counts as a refused login."""
    refused_login_status: int = 400
    """2.4: the status of a refused login, including that of a locked user."""
    refused_login_code: str = "UnifiedWebService.INPUT_INVALID.Password.Invalid"
    """2.4: the code for a wrong user or password; the default appears in one client's tests only."""
    locked_user_code: str = "UnifiedWebService.INPUT_INVALID.Password.Invalid"
    """2.4: the code for a locked user."""
    registering_replaces_listener: bool = True
    """3.2: registering a listener replaces an earlier one, rather than being refused."""
    capitalised_kinds: bool = True
    """3.4: messages spell the kinds of identifiers `Iccid` and `Imei`, as the samples of failures do, rather than as
    in answers or in the request."""
    other_spellings: bool = False
    """3.4, 4.1: messages spell identifiers differently from the request: IMEIs without their check digit, ICCIDs
    without theirs, MEIDs in the other case, MDNs as MSISDNs."""
    request_time: timedelta = timedelta(seconds=60)
    """3.5: the time until a late request has its result; minutes, up to 12 hours, are documented."""
    failed_request_status: str = "Failed"
    """3.5: the spelling of a failed request's status; the SDKs have `Failure`."""
    qos_event_interval: timedelta | None = timedelta(hours=1)
    """3.4: the interval of the events of a running Quality of Service subscription; None for no such events."""
    pending_suspend_state: str = "pending suspend"
    """4.2: the state of a device while its suspension is pending."""
    pending_restore_state: str = "pending resume"
    """4.2: the state of a device while its restoration is pending."""
    provisioning_actions_a_day: int = 5
    """4.2: the limit of activations, suspensions, restorations and deactivations per line in 24 hours; older pages
    say two."""
    too_often_code: str = "UnifiedWebService.REQUEST_FAILED.UnexpectedError"
    """4.2: the code for exceeding this limit, or four plan changes per month; the default is the catch-all code."""
    device_number_in_pages: bool = True
    """4.3: devices in a page have the extended attribute DeviceId, which the client needs to request the next page."""
    attributes_without_values: bool = True
    """4.3: some extended attributes of devices have no value, and those of groups are null, as on the platform's pages.
    Otherwise they are empty: APIMatic's SDK cannot read the documented form."""
    diagnostics_allowance: int = 24_000
    """5: the events per month that an account has bought; 24,000 per license are documented, but tests need fewer."""
    diagnostics_history_page: int = 1000
    """5: values per page of the history of diagnostics; not documented."""
    observation_end_is_announced: bool = True
    """3.6: when an observation of diagnostics ends, a message reports it for each device."""
    v2x_registration_takes: timedelta = timedelta()
    """5: how long the registration of a V2X client is pending."""
    cloud_connector_page: int = 100
    """5: events per page of Cloud Connector without `$limitnumber`; not documented."""
    cloud_connector_lists_are_wrapped: bool = True
    """5: lists of devices and events are a member of an object, as the SDKs declare, rather than bare lists."""
    group_page: int = 2000
    """5: devices per page of a group's members; not documented."""
    last_sms_block_leads_on: bool = True
    """5: the last block of queued messages also comes with 202 and a Location, for its acknowledgement. Otherwise it
    comes with 200 and without a Location, and counts as acknowledged."""
    provisioning_history_is_list: bool = True
    """5: provisioning history is a list of one result, as the SDKs declare, rather than the bare result of their
    samples."""
    insights_page: int = 100
    """5: resources per page of Sensor Insights; not documented."""
    location_report_page: int = 1000
    """5: locations per page of a report; documented, but tests need fewer."""
    location_exclusion_page: int = 2000
    """5: devices per page of the devices excluded from location; documented, but tests need fewer."""
    software_page: int = 1000
    """5: devices per page of software management; documented, but tests need fewer."""
    software_files_are_wrapped: bool = True
    """5: the list of configuration files is a member of an object, as the SDKs declare, rather than a bare list."""
