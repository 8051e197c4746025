//! A past life taken up.

use super::bench::*;
use crate::model::*;

#[test]
fn what_was_handled_stays_handled_when_the_clock_is_set_back_over_a_pause() {
    let mut bench = Bench::new([pipeline("p")]);
    bench.pass(mins(1));
    bench.webhook_is(NEVER_LEFT);
    assert_eq!(bench.rows[&PipelineName::new("p")].mark.handled_until, Wall(START + 60_000));
    bench.edit(|p| p.paused = true);
    bench.restart();
    bench.wall_moves(-3_600_000);
    bench.edit(|p| p.paused = false);
    bench.restart();
    let handled = bench.rows[&PipelineName::new("p")].mark.handled_until;
    assert_eq!(handled, Wall(START + 60_000), "else its slots would fire a second time");
}

#[test]
fn a_waiting_run_is_sent_again_after_a_restart_as_the_same_attempt() {
    let mut bench = Bench::new([pipeline("p")]);
    bench.pass(mins(1));
    assert_eq!(bench.sent[0].due, Some(Wall(START + 60_000)));
    bench.webhook_is(NEVER_LEFT);
    bench.restart_after(secs(10));
    assert_eq!(bench.sent[0].run.as_str(), "p-2025-11-24T16:01:00Z-1");
    assert_eq!(bench.sent[0].due, None, "it is not the first attempt to send");
    assert_eq!(bench.runs.len(), 1);
}
