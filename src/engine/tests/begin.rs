//! What begins when, and what becomes of due times that can't be sent.

use super::bench::*;
use crate::config::Concurrency;
use crate::model::*;

#[test]
fn a_due_time_that_waited_over_a_sleep_is_late_and_the_newest_is_sent() {
    let mut bench = Bench::limited(|a| a.triggers_per_minute = 1, [pipeline("p"), pipeline("q")]);
    bench.pass(mins(1));
    assert_eq!(bench.sent.len(), 1, "the other waits for the cap");
    bench.wall_moves(8 * 3_600_000);
    bench.pass(mins(1));
    let newest = Wall(START + 8 * 3_600_000 + 60_000);
    let sent: Vec<_> = bench.sent.iter().map(|send| send.due).collect();
    assert_eq!(sent, [Some(Wall(START + 60_000)), Some(newest)]);
    let late = bench.missed.iter().filter(|(why, _)| *why == MissedReason::Late);
    assert_eq!(late.map(|(_, count)| count).sum::<u64>(), 1 + 2 * 479);
}
