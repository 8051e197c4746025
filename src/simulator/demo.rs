//! The world of the demo: for every pipeline of a config one in Harness, of which six have a story.

use std::time::Duration;

use crate::config::{Config, Pipeline, Webhook};

use super::pipeline::{SimulatedPipeline, Stage};
use super::script::Script;
use super::world::World;

/// The token of every webhook that the config says to be v3.
pub const DEMO_TOKEN: &str = "demo-webhook-token";

/// An API key that may do everything.
pub const DEMO_API_KEY: &str = "sat.demo.demo.demo";

const MINUTE: Duration = Duration::from_mins(1);

/// A Harness that has every account and every pipeline of `config`. Those whose Harness identifier
/// is in the shipped config behave as it says there; the others are steady.
#[must_use]
pub fn demo_world(config: &Config, speed: f64) -> World {
    let mut world = World::new("", speed);
    world.accounts = config.accounts.values().map(|account| account.account_id.clone()).collect();
    world.keys.insert(DEMO_API_KEY.to_owned());
    for entry in &config.pipelines {
        add(&mut world, entry);
    }
    world
}

fn add(world: &mut World, entry: &Pipeline) {
    let pipeline = world.pipeline(&entry.org, &entry.project, &entry.pipeline, &entry.trigger);
    let token = matches!(entry.webhook, Webhook::Token(_)).then_some(DEMO_TOKEN);
    pipeline.token(token);
    tell_story(pipeline, &entry.pipeline);
}

fn tell_story(pipeline: &mut SimulatedPipeline, identifier: &str) {
    let build = Stage::new("build", 6 * MINUTE).kind("CI");
    let deploy = Stage::new("deploy", 6 * MINUTE).kind("Deployment");
    match identifier {
        "catalog_tests" => {
            let suites = ["unit", "api"].map(|name| Stage::new(name, 5 * MINUTE).kind("CI"));
            let browsers = Stage::matrix("browsers", 7 * MINUTE, 3).kind("CI");
            let flaky = [Script::succeed(), Script::succeed(), Script::fail_at(4)];
            pipeline.stages([build, Stage::parallel(suites), browsers]).will_in_turn(flaky);
        }
        "search_index" => {
            let index = Stage::new("reindex", 9 * MINUTE);
            pipeline.stages([build, index, deploy]).will(Script::fail_at(2));
        }
        "nightly_backup" => {
            pipeline.stages([Stage::new("backup", 40 * MINUTE)]).will(Script::expire());
        }
        "legacy_billing" => {
            let message = "The pipeline legacy_billing does not exist or has been deleted";
            pipeline.will(Script::refuse_start(message));
        }
        "release_train" => {
            let release = Stage::new("release", 10 * MINUTE).kind("Deployment");
            pipeline.stages([build, release]).will(Script::wait_for_approval(120 * MINUTE));
        }
        _ => {
            let test = Stage::new("test", 8 * MINUTE).kind("CI");
            pipeline.stages([build, test, deploy]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use url::Url;

    use crate::config::{Account, SecretSource};
    use crate::model::{AccountName, PipelineName};

    use super::super::history::Accepted;
    use super::*;

    fn account() -> Account {
        let url = Url::parse("https://harness.example").expect("a URL");
        Account::new(AccountName::new("default"), url, "acme0000000000000000AA")
    }

    fn entry(identifier: &str, webhook: Webhook) -> Pipeline {
        Pipeline {
            project: "shop".to_owned(),
            pipeline: identifier.to_owned(),
            trigger: "nightly".to_owned(),
            webhook,
            ..Pipeline::new(
                PipelineName::new(&format!("our-{identifier}")),
                AccountName::new("default"),
            )
        }
    }

    fn config(pipelines: Vec<Pipeline>) -> Config {
        Config::new(account(), pipelines)
    }

    /// How the first executions of a pipeline end, and after how many minutes.
    fn endings(world: &mut World, identifier: &str) -> Vec<String> {
        let account = world.accounts.first().cloned().expect("an account");
        let key = world.pipelines.keys().find(|key| key.pipeline == identifier).cloned();
        for _ in 0..3 {
            let now = world.settle();
            let accepted = Accepted {
                account: account.clone(),
                matched: key.clone().into_iter().collect(),
                payload: String::new(),
                with_key: false,
                received: 0,
            };
            world.accept(now, accepted);
            world.advance(MINUTE);
        }
        let mine = world.executions().iter().filter(|one| one.pipeline() == identifier);
        mine.map(|one| {
            let took = one.end_ms().unwrap_or_default() - one.start_ms();
            format!("{} {}", one.ends_as().unwrap_or("never"), took / 60_000)
        })
        .collect()
    }

    #[test]
    fn the_six_pipelines_have_their_stories_and_the_rest_is_steady() {
        let table: [(&str, &[&str]); 7] = [
            ("checkout", &["Success 20", "Success 20", "Success 20"]),
            ("catalog_tests", &["Success 18", "Success 18", "Failed 18"]),
            ("search_index", &["Failed 15", "Failed 15", "Failed 15"]),
            ("nightly_backup", &["Expired 1440", "Expired 1440", "Expired 1440"]),
            ("legacy_billing", &[]),
            ("release_train", &["Success 136", "Success 136", "Success 136"]),
            ("unheard_of", &["Success 20", "Success 20", "Success 20"]),
        ];
        let entries = table.map(|(identifier, _)| entry(identifier, Webhook::Auto));
        let mut world = demo_world(&config(entries.to_vec()), 0.0);
        for (identifier, wanted) in table {
            assert_eq!(endings(&mut world, identifier), wanted, "{identifier}");
        }
    }

    #[test]
    fn a_webhook_of_the_third_version_has_the_demo_token() {
        let secret = SecretSource::File(PathBuf::from("nowhere"));
        let entries = vec![entry("one", Webhook::Token(secret)), entry("two", Webhook::Auto)];
        let world = demo_world(&config(entries), 0.0);
        let tokens: Vec<_> = world.pipelines.values().map(|one| one.token.as_deref()).collect();
        assert_eq!(tokens, [Some(DEMO_TOKEN), None]);
    }
}
