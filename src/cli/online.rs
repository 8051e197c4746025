//! `check --online`: whether Harness has the triggers that the config names, and what it says of
//! them to the key that is to use them.
//!
//! Every call is a read. A trigger's permission to be *executed* shows only when it is triggered,
//! so what is promised here is that it exists, is switched on and can be read with this key. An
//! account without a key is a good one, of which nothing can be asked: that is said and no failure.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;

use super::check::{counted, table};
use super::{Failure, block_on, escaped, print, serve};
use crate::app::clients;
use crate::config::{Account, Config, Pipeline};
use crate::harness::{self, Client};
use crate::model::{LookupAnswer, Refusal};

/// As many lookups of an account may go one right after the other.
const AT_ONCE: usize = 5;

/// Asks for the trigger of each pipeline and prints what came of it; a failure where one that was
/// asked for could not be triggered now.
pub(super) fn check(config: &Config) -> Result<(), Failure> {
    serve::check_accounts(config)?;
    harness::install_crypto();
    let clients = clients(config).map_err(Failure::Usage)?;
    let mut rows = vec![["PIPELINE", "TRIGGER", "IN HARNESS"].map(str::to_owned)];
    let mut unasked = String::new();
    let mut unusable = 0_usize;
    for (name, account) in &config.accounts {
        let Some(client) = clients.get(name) else { continue };
        let own = config.pipelines.iter().map(Arc::as_ref);
        let own: Vec<&Pipeline> = own.filter(|pipeline| pipeline.account == *name).collect();
        if account.api_key.is_none() {
            unasked += &not_asked(account, own.len());
            continue;
        }
        for (pipeline, state) in block_on(look_up_all(client, account, &own))? {
            unusable += usize::from(state.is_err());
            let state = state.unwrap_or_else(|problem| problem);
            let cells = [pipeline.name.as_str(), &pipeline.trigger, &state];
            rows.push(cells.map(escaped));
        }
    }
    if rows.len() > 1 {
        print(&format!("\n{}", table(&rows)))?;
    }
    if !unasked.is_empty() {
        print(&format!("\n{unasked}"))?;
    }
    if unusable > 0 {
        let triggers = counted(unusable, "trigger");
        return Err(Failure::Failed(anyhow!("{triggers} of the config could not be used now")));
    }
    Ok(())
}

/// The line for an account of which nothing can be asked.
fn not_asked(account: &Account, pipelines: usize) -> String {
    let triggers = counted(pipelines, "trigger");
    let name = escaped(account.name.as_str());
    format!("Account {name} has no API key, so Harness was not asked for its {triggers}.\n")
}

/// What is said of the trigger of each pipeline: an error where it could not be used.
async fn look_up_all<'a>(
    client: &Client,
    account: &Account,
    pipelines: &[&'a Pipeline],
) -> Vec<(&'a Pipeline, Result<String, String>)> {
    let gap = Duration::from_mins(1) / account.requests_per_minute.max(1);
    let mut states = Vec::new();
    for (index, pipeline) in pipelines.iter().enumerate() {
        if index >= AT_ONCE {
            tokio::time::sleep(gap).await;
        }
        let answer = client.look_up(pipeline).await.answer;
        states.push((*pipeline, state(answer)));
    }
    states
}

fn state(answer: LookupAnswer) -> Result<String, String> {
    match answer {
        LookupAnswer::Found(trigger) => match trigger.enabled {
            Some(false) => Err("switched off".to_owned()),
            Some(true) => Ok("there, and switched on".to_owned()),
            None => Ok("there".to_owned()),
        },
        LookupAnswer::Refused(refusal) => Err(refused(&refusal)),
        LookupAnswer::Throttled { .. } => Err("not told: too many requests, HTTP 429".to_owned()),
        LookupAnswer::Failed { message } => Err(format!("not told: {message}")),
    }
}

fn refused(refusal: &Refusal) -> String {
    let Refusal { status, code, message } = refusal;
    let what = match status {
        401 => "the key is not good",
        403 => "the key may not see it",
        _ => "not there",
    };
    let said: Vec<&str> =
        [code.as_str(), message.as_str()].into_iter().filter(|part| !part.is_empty()).collect();
    let said = if said.is_empty() { String::new() } else { format!(", {}", said.join(": ")) };
    format!("{what} (HTTP {status}{said})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FoundTrigger;

    #[test]
    fn only_what_is_there_and_not_switched_off_can_be_used() {
        let found = |enabled| LookupAnswer::Found(FoundTrigger { enabled, webhook: None });
        assert!(state(found(Some(true))).is_ok());
        assert!(state(found(None)).is_ok());
        assert_eq!(state(found(Some(false))), Err("switched off".to_owned()));
        assert!(state(LookupAnswer::Throttled { retry_after: None }).is_err());
        let failed = LookupAnswer::Failed { message: "connection refused".to_owned() };
        assert_eq!(state(failed), Err("not told: connection refused".to_owned()));
        for (status, said) in [
            (400, "not there (HTTP 400, CODE: why)"),
            (401, "the key is not good (HTTP 401, CODE: why)"),
            (403, "the key may not see it (HTTP 403, CODE: why)"),
            (404, "not there (HTTP 404, CODE: why)"),
        ] {
            let refusal = Refusal { status, code: "CODE".to_owned(), message: "why".to_owned() };
            assert_eq!(state(LookupAnswer::Refused(refusal)), Err(said.to_owned()));
        }
    }
}
