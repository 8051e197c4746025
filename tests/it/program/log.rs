//! What the log says of runs, read as the person does who looks for one.

use super::exporter::Exporter;
use super::support::{ACCOUNT, Setup, TOKEN, ended, pipeline, serve, until, world};

/// The lines with this message so far.
fn lines(exporter: &Exporter, message: &str) -> Vec<String> {
    let message = format!("msg={message:?}");
    let output = exporter.output();
    output.lines().filter(|line| line.contains(&message)).map(str::to_owned).collect()
}

/// The value of a field that needs no quotes.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let start = format!(" {name}=");
    let (_, rest) = line.split_once(&start).unwrap_or_else(|| panic!("no {name} in {line}"));
    rest.split(' ').next().unwrap()
}

#[tokio::test]
async fn the_line_of_an_end_leads_to_the_execution_in_harness() {
    let mut world = world(600.0);
    pipeline(&mut world, "nightly");
    let simulator = serve(world);
    let mut exporter = Setup::of(&simulator).pipeline("nightly", "").start().await;
    exporter.trigger("nightly").await;
    exporter.eventually("its end", |m| m.value(&ended("nightly", "success")) == 1).await;
    let line = until("its line", async || lines(&exporter, "run ended").pop()).await;
    let page = format!(
        "{}/ng/account/{ACCOUNT}/all/orgs/default/projects/shop/pipelines/nightly/executions/{}/pipeline",
        simulator.url(),
        field(&line, "execution")
    );
    assert_eq!(field(&line, "url"), page);
    exporter.finish(&simulator).await;
}

/// The token is not there, so that no attempt gets as far as a call.
#[tokio::test]
async fn what_is_not_sent_is_not_said_to_be() {
    let mut world = world(600.0);
    pipeline(&mut world, "nightly").token(Some(TOKEN));
    let simulator = serve(world);
    let setup = Setup::of(&simulator).pipeline("nightly", "webhook_token_file: late");
    let path = setup.folder().join("late");
    let exporter = setup.start().await;
    let (_, said) = exporter.ask("nightly", "").await;
    let run = format!("run={}", said["run"].as_str().unwrap());
    let told = || -> Vec<String> {
        let output = exporter.output();
        let lines =
            output.lines().filter(|line| line.contains("level=INFO") && line.contains(&run));
        lines.map(|line| line.split('"').nth(1).unwrap().to_owned()).collect()
    };
    let again = "no webhook could be made: it is tried again until its deadline";
    let expected = ["run begun", "trying to send the webhook", again];
    let begun = until("an attempt", async || Some(told()).filter(|told| told.len() >= 3)).await;
    assert_eq!(begun[..3], expected);

    std::fs::write(&path, TOKEN).unwrap();
    let ends = async || told().last().filter(|last| *last == "run ended").cloned();
    until("its end", ends).await;
    let told = told();
    let attempts: Vec<_> = told.iter().filter(|told| *told == expected[1]).collect();
    let failed = told.iter().filter(|told| *told == again).count();
    assert_eq!((attempts.len(), told.len()), (failed + 1, 2 * failed + 5), "{told:?}");
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn a_token_that_is_not_there_is_told_at_the_start_and_at_a_reload() {
    let simulator = serve(world(600.0));
    let setup = Setup::of(&simulator)
        .pipeline("first", "webhook_token_file: absent, every: 6h")
        .pipeline("good", "webhook_token_file: token, every: 6h");
    let mut exporter = setup.start().await;
    let told = |exporter: &Exporter| -> Vec<String> {
        let lines = lines(exporter, "its webhook token can't be had: nothing is sent without it");
        assert!(lines.iter().all(|line| line.contains("level=WARN")), "{lines:?}");
        let about = |line: &String| {
            let (_, file) = line.split_once("secret file ").unwrap();
            format!("{} {}", field(line, "pipeline"), file.split(' ').next().unwrap())
        };
        lines.iter().map(about).collect()
    };
    // When it answers, it listens for the signal too.
    exporter.scrape().await;
    assert_eq!(told(&exporter), ["first absent"]);
    exporter.setup.set_pipeline("second", "webhook_token_file: lost, every: 6h");
    exporter.setup.write();
    exporter.signal("HUP");
    let reloaded = async || lines(&exporter, "config reloaded").pop();
    until("the reload", reloaded).await;
    assert_eq!(told(&exporter), ["first absent", "first absent", "second lost"]);
    exporter.finish(&simulator).await;
}

#[tokio::test]
async fn one_refusal_is_told_once() {
    let mut world = world(600.0);
    pipeline(&mut world, "nightly");
    let simulator = serve(world);
    let mut setup = Setup::of(&simulator).pipeline("nightly", "");
    setup.key = "a-key-of-nobody".to_owned();
    let mut exporter = setup.start().await;
    let message = "the trigger can't be used: look at it in Harness";
    until("the look-up", async || lines(&exporter, message).pop()).await;
    exporter.scrape().await;
    assert_eq!(exporter.output().matches("HTTP 401").count(), 1);
    exporter.finish(&simulator).await;
}
