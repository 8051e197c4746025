//! `schedule`, on both sides of a change of the clock, and nothing asked of anybody.

use serde_json::json;

use super::Desk;

const NIGHTLY: &str = "schedule: 30 1 * * *\n  timezone: Europe/London";

#[tokio::test]
async fn it_lists_the_next_due_times_of_the_pipelines_that_are_named() {
    // Nobody listens there.
    let desk = Desk::new("http://127.0.0.1:9", &["one", "two"], NIGHTLY);
    let said = desk.run(&["schedule", "our-two", "--from=2026-03-28", "--count=2"]).await;
    assert_eq!((said.status, said.err.as_str()), (0, ""));
    let lines = [
        "our-two\t30 1 * * *\tEurope/London\tSat 2026-03-28 01:30:00 +00:00\t2026-03-28T01:30:00Z",
        "our-two\t30 1 * * *\tEurope/London\tSun 2026-03-29 02:00:00 +01:00\t2026-03-29T01:00:00Z",
    ];
    assert_eq!(said.out, lines.join("\n") + "\n");
    let said =
        desk.run(&["schedule", "--from=2026-10-25T00:30:00Z", "--count=1", "--output=json"]).await;
    let line = |name: &str| {
        json!({
            "pipeline": name,
            "schedule": "30 1 * * *",
            "timezone": "Europe/London",
            "due": "2026-10-25T00:30:00Z",
            "fires": "2026-10-25T00:30:00Z",
            "local": "2026-10-25T01:30:00+01:00",
            "fate": "triggered",
        })
    };
    assert_eq!(said.json(), [line("our-one"), line("our-two")]);
    let said = desk.run(&["schedule"]).await;
    assert_eq!((said.status, said.out.lines().count()), (0, 10));
}

#[tokio::test]
async fn what_is_not_there_is_bad_usage() {
    let desk = Desk::new("http://127.0.0.1:9", &["one"], NIGHTLY);
    for (line, told) in [
        (["schedule", "our-two"], "no pipeline of the config is called our-two"),
        (["schedule", "--from=tomorrow"], "want a time such as 2026-03-29T00:00:00Z, or a day"),
        (["schedule", "--count=0"], "0 is not in 1..=10000"),
    ] {
        let said = desk.run(&line).await;
        assert_eq!(said.status, 2, "{line:?}");
        assert!(said.err.contains(told), "{}", said.err);
    }
}
