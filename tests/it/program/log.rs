//! What the log says of runs, read as the person does who looks for one.

use super::exporter::Exporter;
use super::support::{ACCOUNT, Setup, ended, pipeline, serve, until, world};

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
