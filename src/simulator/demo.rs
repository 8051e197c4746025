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
