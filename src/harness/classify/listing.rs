//! What answers to the calls of `model::listing` mean.

use super::{Body, Reply, said, wire};
use crate::harness::secret::Secrets;
use crate::model::{ExecutionAnswer, ExecutionsAnswer, LookupAnswer, Refusal};

/// Codes with which Harness says, under status 404, that what was asked for is not there. A 404
/// without one is of the gateway, or of a Harness that does not know the call.
const NOT_THERE: [&str; 2] = ["ENTITY_NOT_FOUND", "RESOURCE_NOT_FOUND"];

/// What an answer to the listing of executions means.
pub(in crate::harness) fn executions(
    reply: &Reply,
    part: wire::Part,
    secrets: &Secrets,
) -> ExecutionsAnswer {
    match (reply.status, &reply.body) {
        (429, _) => ExecutionsAnswer::Throttled { retry_after: reply.retry_after },
        (200, Body::Whole(body)) => match wire::executions(body, part, secrets) {
            Ok(page) => ExecutionsAnswer::Page(Box::new(page)),
            Err(problem) => ExecutionsAnswer::Failed { message: told(reply, &problem, secrets) },
        },
        (200, Body::TooLarge) => ExecutionsAnswer::TooLarge,
        (400..500, _) => ExecutionsAnswer::Refused(Box::new(refusal(reply, secrets))),
        _ => ExecutionsAnswer::Failed { message: failure(reply, secrets) },
    }
}

/// What an answer to the reading of one execution means.
pub(in crate::harness) fn execution(reply: &Reply, secrets: &Secrets) -> ExecutionAnswer {
    match (reply.status, &reply.body) {
        (429, _) => ExecutionAnswer::Throttled { retry_after: reply.retry_after },
        (200, Body::Whole(body)) => match wire::execution(body, secrets) {
            Ok(summary) => ExecutionAnswer::Summary(Box::new(summary)),
            Err(problem) => ExecutionAnswer::Failed { message: told(reply, &problem, secrets) },
        },
        (404, _) if NOT_THERE.contains(&said(reply).0.as_str()) => ExecutionAnswer::Missing,
        _ => ExecutionAnswer::Failed { message: failure(reply, secrets) },
    }
}

/// What an answer to the lookup of a trigger means.
pub(in crate::harness) fn lookup(reply: &Reply, secrets: &Secrets) -> LookupAnswer {
    match (reply.status, &reply.body) {
        (429, _) => LookupAnswer::Throttled { retry_after: reply.retry_after },
        (200, Body::Whole(body)) => match wire::found(body) {
            Ok(found) => LookupAnswer::Found(found),
            Err(problem) => LookupAnswer::Failed { message: told(reply, &problem, secrets) },
        },
        (400..500, _) => LookupAnswer::Refused(refusal(reply, secrets)),
        _ => LookupAnswer::Failed { message: failure(reply, secrets) },
    }
}

fn refusal(reply: &Reply, secrets: &Secrets) -> Refusal {
    let (code, line) = said(reply);
    Refusal { status: reply.status, code: secrets.clean(&code), message: secrets.clean(&line) }
}

/// Why an answer that is no refusal can't be used.
fn failure(reply: &Reply, secrets: &Secrets) -> String {
    match (reply.status, &reply.body) {
        (200, Body::TooLarge) => told(reply, "the answer is too large", secrets),
        (200, Body::Broken(problem) | Body::Stalled(problem)) => told(reply, problem, secrets),
        _ => reply.told(secrets),
    }
}

fn told(reply: &Reply, problem: &str, secrets: &Secrets) -> String {
    secrets.clean(&format!("HTTP {}: {problem}", reply.status))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MISSING: &str = r#"{"status":"ERROR","code":"ENTITY_NOT_FOUND","message":"gone"}"#;
    const DENIED: &str = r#"{"status":"ERROR","code":"NG_ACCESS_DENIED","message":"no"}"#;

    fn whole(text: &str) -> Body {
        Body::Whole(text.as_bytes().to_vec())
    }

    /// What the three calls make of the same answer.
    fn named(status: u16, body: Body) -> [String; 3] {
        let reply = Reply { status, retry_after: Some(Duration::from_secs(7)), body };
        let secrets = Secrets::open(None).unwrap();
        let listed = match executions(&reply, wire::Part { page: 0, size: 10 }, &secrets) {
            ExecutionsAnswer::Page(page) => format!("page of {}", page.executions.len()),
            ExecutionsAnswer::TooLarge => "too large".to_owned(),
            ExecutionsAnswer::Refused(refusal) => format!("refused {}", refusal.code),
            ExecutionsAnswer::Throttled { retry_after } => format!("throttled {retry_after:?}"),
            ExecutionsAnswer::Failed { message } => message,
        };
        let read = match execution(&reply, &secrets) {
            ExecutionAnswer::Summary(summary) => summary.status,
            ExecutionAnswer::Missing => "missing".to_owned(),
            ExecutionAnswer::Throttled { retry_after } => format!("throttled {retry_after:?}"),
            ExecutionAnswer::Failed { message } => message,
        };
        let looked_up = match lookup(&reply, &secrets) {
            LookupAnswer::Found(found) => format!("{:?}", found.enabled),
            LookupAnswer::Refused(refusal) => format!("refused {}", refusal.code),
            LookupAnswer::Throttled { retry_after } => format!("throttled {retry_after:?}"),
            LookupAnswer::Failed { message } => message,
        };
        [listed, read, looked_up]
    }

    #[test]
    fn answers_mean_the_same_whatever_was_asked() {
        let good = r#"{"status":"SUCCESS","data":{"content":[{"planExecutionId":"x"}],
            "pipelineExecutionSummary":{"status":"Running"},"identifier":"t","enabled":true}}"#;
        let same = |text: &str| [text; 3].map(str::to_owned);
        let table = [
            (200, whole(good), ["page of 1", "Running", "Some(true)"].map(str::to_owned)),
            (429, whole("slow"), same("throttled Some(7s)")),
            (500, whole(MISSING), same("HTTP 500: ENTITY_NOT_FOUND: gone")),
            (502, whole("<html>"), same("HTTP 502")),
            (302, whole(""), same("HTTP 302")),
            (204, whole(""), same("HTTP 204")),
            (200, whole("<html>"), same("HTTP 200: a page instead of JSON")),
            (200, Body::Broken("cut".to_owned()), same("HTTP 200: cut")),
            (200, Body::Stalled("timed out".to_owned()), same("HTTP 200: timed out")),
            (
                200,
                Body::TooLarge,
                [
                    "too large",
                    "HTTP 200: the answer is too large",
                    "HTTP 200: the answer is too large",
                ]
                .map(str::to_owned),
            ),
            (
                404,
                whole(MISSING),
                ["refused ENTITY_NOT_FOUND", "missing", "refused ENTITY_NOT_FOUND"]
                    .map(str::to_owned),
            ),
            (404, whole("<html>"), ["refused ", "HTTP 404", "refused "].map(str::to_owned)),
            (
                403,
                whole(DENIED),
                [
                    "refused NG_ACCESS_DENIED",
                    "HTTP 403: NG_ACCESS_DENIED: no",
                    "refused NG_ACCESS_DENIED",
                ]
                .map(str::to_owned),
            ),
        ];
        for (status, body, expected) in table {
            assert_eq!(named(status, body.clone()), expected, "{status} {body:?}");
        }
    }
}
