//! When a pipeline is really due: its schedule, with the maintenance windows cut out.
//!
//! A due time is an instant of the schedule; it *fires* when the pipeline's jitter has passed too.
//! One that would fire inside a maintenance window is none: it is neither sent nor missed. Like a
//! schedule, a calendar is a function of time and of the pipeline's name alone, and knows nothing of
//! what was sent.

use std::time::Duration;

use crate::config::{Maintenance, Pipeline};
use crate::model::{PipelineName, Wall};
use crate::schedule::{DueTimes, Schedule};

/// How many windows in a row a due time may fall into before it is taken for one that never comes.
const MOST_WINDOWS: usize = 1_000;

/// Before the windows in a calendar's stored form.
const WINDOW: &str = "\nbut not ";
const LASTS: &str = " for ";

/// One millisecond, by which instants are told apart.
const TICK: Duration = Duration::from_millis(1);

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct Calendar {
    due: Option<DueTimes>,
    windows: Vec<Window>,
    schedule: Option<Schedule>,
    maintenance: Vec<Maintenance>,
    text: String,
}

/// The same due times, however they were written.
impl PartialEq for Calendar {
    fn eq(&self, other: &Self) -> bool {
        self.schedule == other.schedule
            && (self.schedule.is_none() || self.maintenance == other.maintenance)
    }
}

impl Eq for Calendar {}

#[derive(Clone, Debug)]
struct Window {
    begins: DueTimes,
    lasts: Duration,
}

impl Calendar {
    /// The calendar of a pipeline of the config.
    #[must_use]
    pub fn of(pipeline: &Pipeline) -> Self {
        Self::new(&pipeline.name, pipeline.schedule.as_ref(), &pipeline.maintenance)
    }

    /// Reads back what [`Calendar::text`] wrote of the pipeline `name`. What no version of ours wrote
    /// is never due.
    #[must_use]
    pub fn read(name: &PipelineName, text: &str) -> Self {
        let mut parts = text.split(WINDOW);
        let schedule = parts.next().and_then(|schedule| schedule.parse().ok());
        let window = |part: &str| {
            let (begins, lasts) = part.rsplit_once(LASTS)?;
            let millis = lasts.strip_suffix("ms")?.parse().ok()?;
            let duration = Duration::from_millis(millis);
            Some(Maintenance { begins: begins.parse().ok()?, duration })
        };
        let windows: Vec<_> = parts.filter_map(window).collect();
        Self::new(name, schedule.as_ref(), &windows)
    }

    fn new(name: &PipelineName, schedule: Option<&Schedule>, windows: &[Maintenance]) -> Self {
        let mut text = schedule.map(ToString::to_string).unwrap_or_default();
        for window in windows.iter().filter(|_| schedule.is_some()) {
            let millis = window.duration.as_millis();
            text = format!("{text}{WINDOW}{}{LASTS}{millis}ms", window.begins);
        }
        let window = |window: &Maintenance| Window {
            begins: window.begins.due_times(name),
            lasts: window.duration,
        };
        Self {
            due: schedule.map(|schedule| schedule.due_times(name)),
            windows: windows.iter().map(window).collect(),
            schedule: schedule.cloned(),
            maintenance: windows.to_vec(),
            text,
        }
    }

    /// The form in which the store remembers it, to notice an edit; empty where nothing is ever due.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// When a due time fires.
    #[must_use]
    pub fn fires(&self, due: Wall) -> Wall {
        due.after(self.delay())
    }

    /// How long after a due time it fires: always the same.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.due.as_ref().map_or(Duration::ZERO, DueTimes::delay)
    }

    /// The first due time after `instant`; none where none comes.
    #[must_use]
    pub fn next_after(&self, instant: Wall) -> Option<Wall> {
        let schedule = self.due.as_ref()?;
        let mut due = schedule.next_after(instant)?;
        for _ in 0..MOST_WINDOWS {
            let Some((_, end)) = self.window_at(self.fires(due)) else { return Some(due) };
            due = schedule.next_after(end.before(self.delay()).before(TICK))?;
        }
        None
    }

    /// The newest due time after `after` that has fired by `now`.
    #[must_use]
    pub fn newest_fired(&self, after: Wall, now: Wall) -> Option<Wall> {
        let schedule = self.due.as_ref()?;
        let mut fires_by = now;
        loop {
            let due = schedule.last_at_or_before(fires_by.before(self.delay()))?;
            if due <= after {
                return None;
            }
            match self.window_at(self.fires(due)) {
                None => return Some(due),
                Some((begin, _)) => fires_by = begin.before(TICK),
            }
        }
    }

    /// How many due times lie after `from` and at or before `until`.
    #[must_use]
    pub fn count_between(&self, from: Wall, until: Wall) -> u64 {
        let Some(schedule) = &self.due else { return 0 };
        let mut count = schedule.count_between(from, until);
        let mut at = from;
        while count > 0
            && let Some((begin, end)) = self.window_after(self.fires(at))
        {
            let (begin, end) = (begin.before(self.delay()), end.before(self.delay()));
            if begin > until {
                break;
            }
            let last = end.before(TICK).min(until);
            count = count.saturating_sub(schedule.count_between(begin.before(TICK).max(at), last));
            at = last;
            if at >= until {
                break;
            }
        }
        count
    }

    /// Whether nothing is to be triggered at `instant`.
    #[must_use]
    pub fn is_maintenance(&self, instant: Wall) -> bool {
        self.window_at(instant).is_some()
    }

    /// When a maintenance window next begins or ends.
    #[must_use]
    pub fn next_turn(&self, now: Wall) -> Option<Wall> {
        match self.window_at(now) {
            Some((_, end)) => Some(end),
            None => self.window_after(now).map(|(begin, _)| begin),
        }
    }

    /// The window that `instant` lies in, of several the one that ends last: from when, until when.
    fn window_at(&self, instant: Wall) -> Option<(Wall, Wall)> {
        let window = |window: &Window| {
            let begin = window.begins.last_at_or_before(instant)?;
            let end = begin.after(window.lasts);
            (instant < end).then_some((begin, end))
        };
        self.windows.iter().filter_map(window).max_by_key(|(_, end)| *end)
    }

    /// The first window, or what is left of it, that lies after `instant`.
    fn window_after(&self, instant: Wall) -> Option<(Wall, Wall)> {
        let soonest = instant.after(TICK);
        if let Some((_, end)) = self.window_at(soonest) {
            return Some((soonest, end));
        }
        let window = |window: &Window| {
            let begin = window.begins.next_after(soonest)?;
            Some((begin, begin.after(window.lasts)))
        };
        self.windows.iter().filter_map(window).min_by_key(|(begin, _)| *begin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AccountName;
    use crate::schedule::Align;

    const NOON: Wall = Wall(1_764_072_000_000);

    fn every(seconds: u64) -> Schedule {
        Schedule::every(Duration::from_secs(seconds), Align::Epoch, "")
    }

    fn calendar(interval: u64, windows: &[(u64, u64)]) -> Calendar {
        let window = |(every_so_often, lasts): &(u64, u64)| Maintenance {
            begins: every(*every_so_often),
            duration: Duration::from_secs(*lasts),
        };
        Calendar::of(&Pipeline {
            schedule: Some(every(interval)),
            maintenance: windows.iter().map(window).collect(),
            ..Pipeline::new(PipelineName::new("p"), AccountName::new("default"))
        })
    }

    fn noon(seconds: i64) -> Wall {
        Wall(NOON.0 + seconds * 1_000)
    }

    /// Against what a look at every second finds.
    #[test]
    fn windows_are_cut_out() {
        for windows in [&[][..], &[(3600, 600)], &[(3600, 600), (1500, 300)], &[(600, 900)]] {
            let calendar = calendar(60, windows);
            let windows: Vec<_> = windows
                .iter()
                .map(|(every, lasts)| {
                    (i64::try_from(*every).unwrap(), i64::try_from(*lasts).unwrap())
                })
                .collect();
            let out = |second: i64| {
                windows.iter().any(|(every, lasts)| second.rem_euclid(*every) < *lasts)
            };
            let due = |second: &i64| second % 60 == 0 && !out(*second);
            // Noon lies on a multiple of every interval above.
            let all: Vec<i64> = (0..8 * 3600).filter(due).collect();
            for from in (0..7 * 3600).step_by(437) {
                let next = all.iter().find(|second| **second > from).map(|second| noon(*second));
                assert_eq!(calendar.next_after(noon(from)), next, "{windows:?} {from}");
                let last = all.iter().rev().find(|second| **second <= from && **second > 0);
                let newest = calendar.newest_fired(noon(0), noon(from));
                assert_eq!(newest, last.map(|second| noon(*second)), "{windows:?} {from}");
                let until = from + 3600;
                let count = all.iter().filter(|s| **s > from && **s <= until).count() as u64;
                assert_eq!(calendar.count_between(noon(from), noon(until)), count, "{windows:?}");
                assert_eq!(calendar.is_maintenance(noon(from)), out(from));
            }
        }
    }

    #[test]
    fn where_it_is_always_maintenance_nothing_is_due() {
        let calendar = calendar(60, &[(600, 900)]);
        assert_eq!(calendar.next_after(NOON), None);
        assert_eq!(calendar.newest_fired(noon(-86_400), NOON), None);
        assert_eq!(calendar.count_between(noon(-86_400), NOON), 0);
    }

    #[test]
    fn the_turns_are_the_begins_and_the_ends() {
        let calendar = calendar(60, &[(3600, 600)]);
        assert_eq!(calendar.next_turn(noon(-1)), Some(noon(0)));
        assert_eq!(calendar.next_turn(noon(0)), Some(noon(600)));
        assert_eq!(calendar.next_turn(noon(600)), Some(noon(3600)));
    }

    #[test]
    fn the_stored_form_reads_back() {
        let name = PipelineName::new("p");
        for windows in [&[][..], &[(3600, 600), (1500, 300)]] {
            let calendar = calendar(60, windows);
            let read = Calendar::read(&name, calendar.text());
            assert_eq!(read.text(), calendar.text());
            assert_eq!(read.next_after(noon(0)), calendar.next_after(noon(0)));
        }
        assert_eq!(Calendar::read(&name, "").next_after(NOON), None);
        assert_eq!(Calendar::read(&name, "every x").text(), "");
    }
}
