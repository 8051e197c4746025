//! Another account in a config that is read again: elsewhere, under another id, with another key,
//! gone.

use std::time::Duration;

use harness_exporter::simulator::{Simulator, World};

use super::exporter::Exporter;
use super::ledger;
use super::reloads::reload;
use super::scrape::Scrape;
use super::support::{ACCOUNT, ANY_PORT, KEY, Setup, ended, pipeline, serve, until, world};

/// A world whose time passes when it is told to, with one pipeline.
fn still(name: &str) -> World {
    let mut world = world(0.0);
    world.details_require_key = true;
    pipeline(&mut world, name).queue(Duration::ZERO);
    world
}

async fn started(setup: Setup, name: &str) -> Exporter {
    let mut exporter = setup.flag("--web.enable-lifecycle").start().await;
    exporter.trigger(name).await;
    exporter.eventually("the run", |m| m.value(&executing(name)) == 1).await;
    exporter
}

fn executing(name: &str) -> String {
    format!("harness_pipeline_active_runs{{pipeline=\"{name}\",state=\"executing\"}}")
}

async fn ends(exporter: &mut Exporter, name: &str, runs: i64) -> Scrape {
    exporter.eventually("its end", |m| m.value(&ended(name, "success")) == runs).await
}

#[tokio::test]
async fn a_run_under_way_is_read_at_the_new_address_of_its_account() {
    let simulator = serve(still("nightly"));
    let setup = Setup::of(&simulator).pipeline("nightly", "");
    let mut exporter = started(setup, "nightly").await;
    let mut world = simulator.stop().await;
    let other = "BETA11111111111111111B";
    world.accounts.insert(other.to_owned());
    let moved = Simulator::start(world, ANY_PORT).unwrap();
    exporter.setup.set_account("url", &moved.url());
    exporter.setup.write();
    reload(&exporter).await;
    moved.world().advance(Duration::from_hours(1));
    ends(&mut exporter, "nightly", 1).await;
    exporter.setup.set_account("account_id", other);
    exporter.setup.write();
    reload(&exporter).await;
    moved.world().accounts.remove(ACCOUNT);
    exporter.trigger("nightly").await;
    exporter.eventually("the run", |m| m.value(&executing("nightly")) == 1).await;
    moved.world().advance(Duration::from_hours(1));
    ends(&mut exporter, "nightly", 2).await;
    exporter.finish(&moved).await;
}

#[tokio::test]
async fn a_run_under_way_is_read_with_the_new_key_of_its_account() {
    let simulator = serve(still("nightly"));
    let setup = Setup::of(&simulator).mounted("mounted").pipeline("nightly", "");
    let mut exporter = started(setup, "nightly").await;
    let rotated = format!("{KEY}-rotated");
    simulator.world().keys.insert(rotated.clone());
    exporter.setup.key = rotated;
    exporter.setup.write();
    reload(&exporter).await;
    {
        let mut world = simulator.world();
        world.keys.remove(KEY);
        world.advance(Duration::from_hours(1));
    }
    let scrape = ends(&mut exporter, "nightly", 1).await;
    assert_eq!(scrape.count("harness_api_requests_total{code=\"401\"}"), 0);
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn runs_of_an_account_that_is_removed_are_followed_and_counted_and_not_shown() {
    let (here, there) = (serve(still("nightly")), serve(still("weekly")));
    let mut setup = Setup::of(&here).pipeline("nightly", "account: default");
    let other =
        format!("name: other, url: \"{}\", account_id: {ACCOUNT}, api_key_file: key", there.url());
    setup.more_accounts.push(other);
    let setup = setup.pipeline("weekly", "account: other");
    let mut exporter = started(setup, "weekly").await;
    exporter.setup.pipelines.remove("weekly");
    exporter.setup.more_accounts.clear();
    exporter.setup.write();
    reload(&exporter).await;
    there.world().advance(Duration::from_hours(1));
    until("its end", async || exporter.output().contains("result=success").then_some(())).await;
    let scrape = exporter.scrape().await;
    let shown = |line: &&str| line.contains("weekly") || stands_for_now(line);
    let shown: Vec<_> = scrape.text.lines().filter(shown).collect();
    assert!(shown.is_empty(), "{shown:?}");
    let left = exporter.end().await;
    let runs = ("weekly".to_owned(), "runs".to_owned(), "success".to_owned());
    assert_eq!(ledger::totals(&left.path)[&runs], 1);
    let received = [here.world().ledger.clone(), there.world().ledger.clone()].concat();
    ledger::check(&left.path, &received);
}

/// Whether a line says how the removed account is, not what was counted of it.
fn stands_for_now(line: &str) -> bool {
    let gauges = ["harness_up", "harness_api_rate_limit_per_minute", "harness_api_last_success"];
    line.contains("account=\"other\"") && gauges.iter().any(|gauge| line.starts_with(gauge))
}
