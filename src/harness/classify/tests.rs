use super::*;
use crate::model::EventId;

const GOOD: &str = r#"{"status":"SUCCESS","data":"e1"}"#;
const HISTORY: &str = r#"{"status":"ERROR","code":"INVALID_REQUEST","message":"Invalid request: Trigger event history doesn't exist for event with eventId e1"}"#;
const NO_PATH: &str = r#"{"status":"FAILURE","code":"RESOURCE_NOT_FOUND_EXCEPTION","message":"HTTP 404 Not Found","errors":null}"#;

fn reply(status: u16, body: Body) -> Reply {
    Reply { status, retry_after: Some(Duration::from_secs(7)), body }
}

fn whole(text: &str) -> Body {
    Body::Whole(text.as_bytes().to_vec())
}

fn sent(status: u16, body: Body) -> TriggerAnswer {
    trigger(&reply(status, body), &Secrets::open(None).unwrap())
}

fn read(status: u16, body: Body) -> EventAnswer {
    event(&reply(status, body), &Secrets::open(None).unwrap())
}

/// What an answer is called in the tables below.
fn name(answer: &TriggerAnswer) -> String {
    match answer {
        TriggerAnswer::Accepted(event) => format!("accepted {event}"),
        TriggerAnswer::Refused { reason, .. } => format!("refused {reason}"),
        TriggerAnswer::UnknownPath { .. } => "unknown path".to_owned(),
        TriggerAnswer::Throttled { .. } => "throttled".to_owned(),
        TriggerAnswer::NeverLeft { .. } => "never left".to_owned(),
        TriggerAnswer::NotSent { .. } => "not sent".to_owned(),
        TriggerAnswer::Unknown { reason, .. } => format!("unknown {reason}"),
    }
}

#[test]
fn a_webhooks_answer_by_status_and_body() {
    let unrecognized = r#"{"status":"SUCCESS","data":"Unrecognized Webhook"}"#;
    let not_found = r#"{"status":"ERROR","code":"ENTITY_NOT_FOUND","message":"gone"}"#;
    let table = [
        (200, GOOD, "accepted e1"),
        (201, GOOD, "accepted e1"),
        (200, unrecognized, "refused rejected"),
        (200, r#"{"status":"FAILED","data":"e1"}"#, "refused rejected"),
        (200, "<html>", "unknown bad_response"),
        (200, "", "unknown bad_response"),
        (204, "", "unknown bad_response"),
        (200, r#"{"status":"SUCCESS","data":null}"#, "unknown bad_response"),
        (301, "", "refused rejected"),
        (307, GOOD, "refused rejected"),
        (400, HISTORY, "refused rejected"),
        (400, NO_PATH, "unknown path"),
        (400, GOOD, "refused rejected"),
        (401, "<html>", "refused unauthorized"),
        (402, "", "refused rejected"),
        (403, "", "refused forbidden"),
        (404, "<html>", "unknown path"),
        (404, not_found, "unknown path"),
        (405, NO_PATH, "refused rejected"),
        (429, "<html>", "throttled"),
        (500, GOOD, "unknown server_error"),
        (501, "", "unknown server_error"),
        (502, "<html>", "unknown server_error"),
        (503, "", "unknown server_error"),
        (504, "", "unknown server_error"),
        (600, GOOD, "unknown bad_response"),
        (999, "", "unknown bad_response"),
    ];
    for (status, body, expected) in table {
        assert_eq!(name(&sent(status, whole(body))), expected, "{status} {body}");
    }
}

#[test]
fn a_webhooks_answer_whose_body_is_missing() {
    let broken = || Body::Broken("cut".to_owned());
    let stalled = || Body::Stalled("operation timed out".to_owned());
    let table = [
        (200, Body::TooLarge, "unknown bad_response"),
        (200, broken(), "unknown bad_response"),
        (200, stalled(), "unknown unconfirmed"),
        (400, broken(), "refused rejected"),
        (401, stalled(), "refused unauthorized"),
        (404, Body::TooLarge, "unknown path"),
        (429, stalled(), "throttled"),
        (500, broken(), "unknown server_error"),
    ];
    for (status, body, expected) in table {
        assert_eq!(name(&sent(status, body.clone())), expected, "{status} {body:?}");
    }
}

#[test]
fn messages_name_the_status_and_what_was_said() {
    let seven = Some(Duration::from_secs(7));
    assert_eq!(sent(429, whole("")), TriggerAnswer::Throttled { retry_after: seven });
    assert_eq!(read(429, whole("")), EventAnswer::Throttled { retry_after: seven });
    let body = r#"{"code":"INVALID_REQUEST","message":"Invalid request: No custom trigger found for the used custom webhook token: pat.a.b.c"}"#;
    let expected = TriggerAnswer::Refused {
        reason: Reason::Rejected,
        message:
            "HTTP 400: INVALID_REQUEST: Invalid request: No custom trigger found for the used \
                  custom webhook token: [redacted]"
                .to_owned(),
    };
    assert_eq!(sent(400, whole(body)), expected);
    let expected = EventAnswer::Failed { message: "HTTP 502: upstream gone".to_owned() };
    assert_eq!(read(502, whole("upstream gone\n")), expected);
    let expected = EventAnswer::Failed { message: "HTTP 200: it has no data".to_owned() };
    assert_eq!(read(200, whole(r#"{"status":"SUCCESS"}"#)), expected);
    let expected = TriggerAnswer::Unknown {
        reason: Reason::BadResponse,
        message: "HTTP 200: a page instead of JSON".to_owned(),
    };
    assert_eq!(sent(200, whole("<html>")), expected);
    assert_eq!(sent(200, whole(GOOD)), TriggerAnswer::Accepted(EventId::new("e1").unwrap()));
}

#[test]
fn an_events_answer_by_status_and_body() {
    let found = r#"{"status":"SUCCESS","data":{"webhookProcessingDetails":{"status":"QUEUED"}}}"#;
    let straight = HISTORY.replace('\'', "");
    let curly =
        HISTORY.replace('\'', "\u{2019}").to_uppercase().replace("\"MESSAGE\"", "\"message\"");
    let entity = HISTORY.replace('\'', "&#39;");
    let long = HISTORY.replace("doesn't", "does not");
    let table = [
        (200, found, "details"),
        (200, "<html>", "failed"),
        (201, found, "failed"),
        (204, "", "failed"),
        (302, "", "failed"),
        (400, HISTORY, "no history"),
        (400, &straight, "no history"),
        (400, &curly, "no history"),
        (400, &entity, "no history"),
        (400, &long, "no history"),
        (400, NO_PATH, "unknown path"),
        (400, r#"{"code":"INVALID_REQUEST","message":"Trigger history"}"#, "failed"),
        (400, "", "failed"),
        (401, HISTORY, "failed"),
        (403, "", "failed"),
        (404, HISTORY, "unknown path"),
        (405, "", "unknown path"),
        (429, HISTORY, "throttled"),
        (500, HISTORY, "failed"),
        (503, "", "failed"),
    ];
    for (status, body, expected) in table {
        let answer = read(status, whole(body));
        let name = match answer {
            EventAnswer::Details(_) => "details",
            EventAnswer::NoHistory => "no history",
            EventAnswer::UnknownPath => "unknown path",
            EventAnswer::Throttled { .. } => "throttled",
            EventAnswer::Failed { .. } => "failed",
        };
        assert_eq!(name, expected, "{status} {body}");
    }
    for body in [Body::TooLarge, Body::Broken("cut".to_owned()), Body::Stalled("late".to_owned())] {
        assert!(matches!(read(200, body), EventAnswer::Failed { .. }));
    }
}
