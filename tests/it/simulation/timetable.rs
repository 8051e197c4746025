//! When pipelines are due, reckoned in another way than the program does it: an expression by a look
//! at every minute, a window by what it would take for it to be open, and what is due in between one
//! by one. Only what is hashed from a pipeline's name is taken from the program.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use harness_exporter::config::Pipeline;
use harness_exporter::model::{PipelineName, Wall};
use harness_exporter::schedule::Schedule;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::plan::MINUTE;
use crate::schedule::oracle::{COMPARED, Days};

/// How many due times in a row may lie in maintenance before none is looked for any more.
const MOST_IN_MAINTENANCE: usize = 1_000;

/// How many stretches of days without a due time are looked at before none is looked for any more.
const MOST_STRETCHES: i64 = 4;

/// How long a stretch of days is that is looked at as a whole, in milliseconds.
const STRETCH: i64 = COMPARED * MINUTE.cast_signed();

/// An expression in a zone, over one stretch.
type Asked = (Rc<str>, Rc<str>, i64);

/// What was reckoned already.
type Known<Of, What> = HashMap<Of, Rc<What>>;

thread_local! {
    /// The days of a zone and the due times of an expression in them, by the number of their stretch:
    /// histories share them, because it takes long to look at every minute.
    static DAYS: RefCell<Known<(Rc<str>, i64), Days>> = RefCell::default();
    static DUE: RefCell<Known<Asked, [Wall]>> = RefCell::default();
}

fn days(zone: &Rc<str>, stretch: i64) -> Rc<Days> {
    let middle = Timestamp::from_millisecond(stretch * STRETCH + STRETCH / 2).unwrap();
    let look = || Rc::new(Days::around(&TimeZone::get(zone).unwrap(), middle));
    DAYS.with_borrow_mut(|days| days.entry((zone.clone(), stretch)).or_insert_with(look).clone())
}

fn due_in(expression: &Rc<str>, zone: &Rc<str>, stretch: i64) -> Rc<[Wall]> {
    let look = || days(zone, stretch).due(expression).into();
    let key = (expression.clone(), zone.clone(), stretch);
    DUE.with_borrow_mut(|due| due.entry(key).or_insert_with(look).clone())
}

/// A schedule, without its jitter.
#[derive(Clone, Debug)]
enum Times {
    /// In milliseconds.
    Every { interval: i64, phase: i64 },
    Cron {
        expression: Rc<str>,
        zone: Rc<str>,
        /// What was looked at last.
        last: RefCell<Option<Stretch>>,
    },
}

/// A stretch of days, by its number, and what is due in it.
type Stretch = (i64, Rc<[Wall]>);

impl Times {
    /// The times of a schedule, and by how much what is due fires later.
    fn of(name: &PipelineName, schedule: &Schedule) -> (Self, Duration) {
        let of_name = schedule.due_times(name);
        let text = schedule.to_string();
        let mut words = text.splitn(4, ' ');
        let [kind, span, place] = [(); 3].map(|()| words.next().unwrap());
        if kind == "cron" {
            let (expression, zone) = (words.next().unwrap().into(), place.into());
            let last = RefCell::default();
            return (Self::Cron { expression, zone, last }, of_name.delay());
        }
        let interval = span.strip_suffix("ms").unwrap().parse().unwrap();
        let phase = of_name.next_after(Wall(0)).map_or(0, |first| first.0 % interval);
        (Self::Every { interval, phase }, Duration::ZERO)
    }

    fn read(name: &PipelineName, text: &str) -> Option<(Self, Duration)> {
        Some(Self::of(name, &text.parse().ok()?))
    }

    /// The first after `instant`; none where none comes soon.
    fn next_after(&self, instant: Wall) -> Option<Wall> {
        match self {
            Self::Every { interval, phase } => {
                Some(Wall(((instant.0 - phase).div_euclid(*interval) + 1) * interval + phase))
            }
            Self::Cron { expression, zone, last } => {
                let first = instant.0.div_euclid(STRETCH);
                let mut last = last.borrow_mut();
                (first..first + MOST_STRETCHES).find_map(|stretch| {
                    let known = last.take().filter(|(known, _)| *known == stretch);
                    let look = || (stretch, due_in(expression, zone, stretch));
                    let (_, due) = last.insert(known.unwrap_or_else(look));
                    due.get(due.partition_point(|due| *due <= instant)).copied()
                })
            }
        }
    }

    /// Whether one lies after `from` and at or before `until`.
    fn any(&self, from: Wall, until: Wall) -> bool {
        self.next_after(from).is_some_and(|next| next <= until)
    }
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(super) struct Timetable {
    times: Times,
    delay: Duration,
    /// When nothing is to be triggered: from when on, and for how long.
    windows: Vec<(Times, Duration)>,
}

/// How many were counted up to when, to go on from there.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted(Cell<(Wall, u64)>);

impl Timetable {
    /// That of a pipeline in the config, which may have none but be in maintenance.
    pub(super) fn of(pipeline: &Pipeline) -> Self {
        let never = (Times::Every { interval: i64::MAX / 4, phase: 0 }, Duration::ZERO);
        let times = |schedule: &Schedule| Times::of(&pipeline.name, schedule);
        let (times_of_it, delay) = pipeline.schedule.as_ref().map_or(never, times);
        let windows =
            pipeline.maintenance.iter().map(|window| (times(&window.begins).0, window.duration));
        Self { times: times_of_it, delay, windows: windows.collect() }
    }

    /// That of a calendar as it is stored; none where nothing is ever due.
    pub(super) fn read(name: &PipelineName, text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let (times, delay) = Times::read(name, lines.next()?)?;
        let windows = lines.map(|line| {
            let (begins, lasts) = line.strip_prefix("but not ")?.rsplit_once(" for ")?;
            let lasts = Duration::from_millis(lasts.strip_suffix("ms")?.parse().ok()?);
            Some((Times::read(name, begins)?.0, lasts))
        });
        Some(Self { times, delay, windows: windows.collect::<Option<_>>()? })
    }

    /// How long after a due time it fires.
    pub(super) fn delay(&self) -> Duration {
        self.delay
    }

    /// Whether a window is open.
    pub(super) fn is_maintenance(&self, at: Wall) -> bool {
        self.windows.iter().any(|(begins, lasts)| begins.any(at.before(*lasts), at))
    }

    /// Whether a time of the schedule would fire in maintenance.
    fn is_cut_out(&self, due: Wall) -> bool {
        self.is_maintenance(due.after(self.delay))
    }

    /// Whether this is a due time.
    pub(super) fn is_due(&self, at: Wall) -> bool {
        self.times.any(Wall(at.0 - 1), at) && !self.is_cut_out(at)
    }

    /// The first due time after `instant`; none where none comes soon.
    pub(super) fn next_after(&self, instant: Wall) -> Option<Wall> {
        let next = |at: &Wall| self.times.next_after(*at);
        let times = std::iter::successors(self.times.next_after(instant), next);
        times.take(MOST_IN_MAINTENANCE).find(|due| !self.is_cut_out(*due))
    }

    /// How many due times lie after `from` and at or before `until`. What was counted from there
    /// before is not counted again.
    pub(super) fn count(&self, from: Wall, until: Wall, counted: &Counted) -> u64 {
        let (mut at, mut count) = counted.0.get();
        if at < from || until < at {
            (at, count) = (from, 0);
        }
        while let Some(due) = self.times.next_after(at).filter(|due| *due <= until) {
            at = due;
            count += u64::from(!self.is_cut_out(due));
        }
        counted.0.set((at, count));
        count
    }
}
