//! `POST /api/v1/pipelines/{name}/trigger`: a run, now.

use http::StatusCode;
use serde::de::IgnoredAny;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::reply::{self, Refusal, Reply};
use super::{Request, TriggerReply};

/// The most that a payload may hold, in bytes.
pub(super) const MAX_BODY: usize = 1 << 20;

/// Hands the request to the driver and answers with what became of it.
pub(super) async fn answer(
    driver: &mpsc::Sender<Request>,
    pipeline: String,
    body: &[u8],
) -> Result<Reply, Refusal> {
    let payload = payload(body)?;
    let gone = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "stopping: nothing was triggered");
    let (reply, answered) = oneshot::channel();
    let question = Request::Trigger { pipeline: pipeline.clone(), payload, reply };
    driver.send(question).await.map_err(|_| gone())?;
    let (status, what) = match answered.await.map_err(|_| gone())? {
        TriggerReply::Accepted { run } => {
            return Ok(reply::json(StatusCode::ACCEPTED, &json!({ "run": run })));
        }
        TriggerReply::UnknownPipeline => {
            (StatusCode::NOT_FOUND, format!("no pipeline is called {pipeline}"))
        }
        TriggerReply::Active => (
            StatusCode::CONFLICT,
            format!("a run of {pipeline} is active and its concurrency is forbid"),
        ),
        TriggerReply::DryRun => (
            StatusCode::CONFLICT,
            "the exporter runs with --dry-run: nothing was triggered".to_owned(),
        ),
        TriggerReply::StoreUnavailable => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store cannot be written: nothing was triggered".to_owned(),
        ),
    };
    Err(Refusal::new(status, what))
}

/// The body as it is to be sent, if it is JSON; none where there is nothing in it.
fn payload(body: &[u8]) -> Result<Option<String>, Refusal> {
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    let bad = |what| Refusal::new(StatusCode::BAD_REQUEST, what);
    serde_json::from_slice::<IgnoredAny>(body)
        .map_err(|error| bad(format!("the body is not JSON: {error}")))?;
    let text = std::str::from_utf8(body).map_err(|_| bad("the body is not UTF-8".to_owned()))?;
    Ok(Some(text.to_owned()))
}
