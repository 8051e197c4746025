//! `POST /-/reload`, `/-/pause` and `/-/resume`: what an operator may ask of a running exporter.

use http::StatusCode;
use tokio::sync::{mpsc, oneshot};
use url::form_urlencoded;

use super::reply::{self, Refusal, Reply};
use super::{ReloadReply, Request, SwitchReply};

/// What becomes of the pipelines that are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Switch {
    /// They are left alone at their due times.
    Pause,
    /// They are taken up again.
    Resume,
}

/// Has the config read again.
pub(super) async fn reload(driver: &mpsc::Sender<Request>) -> Result<Reply, Refusal> {
    let (reply, answered) = oneshot::channel();
    driver.send(Request::Reload { reply }).await.map_err(|_| gone())?;
    match answered.await.map_err(|_| gone())? {
        ReloadReply::Done => Ok(reply::text(StatusCode::OK, "reloaded")),
        ReloadReply::Refused(problems) => {
            let problems = problems.trim_end();
            let what = format!("the config is refused, the old one holds:\n{problems}");
            Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, what))
        }
        ReloadReply::NotSupported => {
            let what = "not supported yet: nothing has changed";
            Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, what))
        }
    }
}

/// Has the pipelines in `query` paused or resumed, and names them one a line.
pub(super) async fn switch(
    driver: &mpsc::Sender<Request>,
    switch: Switch,
    query: Option<&str>,
) -> Result<Reply, Refusal> {
    let pipelines = named(query.unwrap_or_default())?;
    let (reply, answered) = oneshot::channel();
    let question = match switch {
        Switch::Pause => Request::Pause { pipelines, reply },
        Switch::Resume => Request::Resume { pipelines, reply },
    };
    driver.send(question).await.map_err(|_| gone())?;
    match answered.await.map_err(|_| gone())? {
        SwitchReply::Done { pipelines } => Ok(reply::text(StatusCode::OK, &pipelines.join("\n"))),
        SwitchReply::UnknownPipeline(name) => {
            let what = format!("no pipeline is called {name}: nothing has changed");
            Err(Refusal::new(StatusCode::NOT_FOUND, what))
        }
        SwitchReply::StoreUnavailable => {
            let what = "the store cannot be written: nothing has changed";
            Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, what))
        }
    }
}

/// The names in a query such as `pipeline=a&pipeline=b`. Nothing else may be in it: a name that
/// went astray would mean all pipelines.
fn named(query: &str) -> Result<Vec<String>, Refusal> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let named = pairs.map(|(key, name)| {
        if key == "pipeline" {
            return Ok(name.into_owned());
        }
        let what = format!("the query knows only pipeline=NAME, not {key}");
        Err(Refusal::new(StatusCode::BAD_REQUEST, what))
    });
    named.collect()
}

fn gone() -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "stopping: nothing has changed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_the_query_and_nothing_else_is_in_it() {
        for (query, names) in [
            ("", &[][..]),
            ("&", &[]),
            ("pipeline=a", &["a"]),
            ("pipeline=a&pipeline=b%20c", &["a", "b c"]),
            ("pipeline=a%26pipeline%3Db", &["a&pipeline=b"]),
            ("pipeline=", &[""]),
            ("pipeline", &[""]),
        ] {
            assert_eq!(named(query).unwrap(), names, "{query}");
        }
        for query in ["pipelines=a", "pipeline=a&x=1", "a", "=a", "Pipeline=a"] {
            assert_eq!(named(query).unwrap_err().status, StatusCode::BAD_REQUEST, "{query}");
        }
    }
}
