//! Which execution belongs to which run of unknown fate: the decision alone, as a function of what
//! was found.
//!
//! An execution may be a run's own if it started in the run's window. It is refused to guess: what
//! can be understood in two ways is left alone.

use crate::model::{ExecutionId, RunId, Wall};

/// A run of unknown fate, and when its execution must have started, by our clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sought {
    pub(super) run: RunId,
    pub(super) from: Wall,
    pub(super) until: Wall,
    /// Whether it has ended without being found. What is found later may still be its own.
    pub(super) is_over: bool,
}

impl Sought {
    pub(super) fn may_own(&self, candidate: &Candidate<'_>) -> bool {
        (self.from..=self.until).contains(&candidate.start)
    }
}

/// An execution that none of our runs is known to own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate<'a> {
    pub(super) execution: &'a ExecutionId,
    pub(super) start: Wall,
    /// Whether one of our runs may own it of which that will be known later.
    pub(super) contested: bool,
}

/// Before its deadline a run is given the one execution that it may own, if no other run of unknown
/// fate is looked for and none that has ended may own it too.
pub(super) fn before_the_deadline<'a>(
    own: &Sought,
    rivals: &[Sought],
    candidates: &[Candidate<'a>],
) -> Option<&'a ExecutionId> {
    let mut mine = candidates.iter().filter(|candidate| own.may_own(candidate));
    let (Some(only), None) = (mine.next(), mine.next()) else { return None };
    let shared = rivals.iter().any(|rival| !rival.is_over || rival.may_own(only));
    (!shared && !only.contested).then_some(only.execution)
}

/// At its deadline a run is given an execution if there are as many executions as runs that may own
/// them, directly or through each other, and only one way in which each has its own.
pub(super) fn at_the_deadline<'a>(
    own: &Sought,
    rivals: &[Sought],
    candidates: &[Candidate<'a>],
) -> Option<&'a ExecutionId> {
    let (mut runs, mut found) = connected(own, rivals, candidates);
    if runs.len() != found.len() || found.iter().any(|candidate| candidate.contested) {
        return None;
    }
    // Windows are alike in length, so if there is any way, then there is the one in order of time.
    runs.sort_by_key(|run| (run.from, run.until));
    found.sort_by_key(|candidate| candidate.start);
    let pairs: Vec<_> = runs.into_iter().zip(found).collect();
    let fits = pairs.iter().all(|(run, candidate)| run.may_own(candidate));
    // And if there is a second way, then also one in which two neighbours have changed places.
    let second = pairs.windows(2).any(|two| match two {
        [(run, candidate), (next_run, next)] => run.may_own(next) && next_run.may_own(candidate),
        _ => false,
    });
    let pair = pairs.into_iter().find(|(run, _)| run.run == own.run)?;
    (fits && !second).then_some(pair.1.execution)
}

/// The runs and executions that hang together with `own` by what may own what.
fn connected<'s, 'a>(
    own: &'s Sought,
    rivals: &'s [Sought],
    candidates: &[Candidate<'a>],
) -> (Vec<&'s Sought>, Vec<Candidate<'a>>) {
    let mut runs = vec![own];
    let mut found: Vec<Candidate<'a>> = Vec::new();
    loop {
        let sizes = (runs.len(), found.len());
        for candidate in candidates {
            if !found.contains(candidate) && runs.iter().any(|run| run.may_own(candidate)) {
                found.push(*candidate);
            }
        }
        for rival in rivals {
            let known = runs.iter().any(|run| run.run == rival.run);
            if !known && found.iter().any(|candidate| rival.may_own(candidate)) {
                runs.push(rival);
            }
        }
        if sizes == (runs.len(), found.len()) {
            return (runs, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, from: i64, until: i64) -> Sought {
        let run = RunId::of_request(&crate::model::PipelineName::new(name), 1);
        Sought { run, from: Wall(from), until: Wall(until), is_over: false }
    }

    fn over(name: &str, from: i64, until: i64) -> Sought {
        Sought { is_over: true, ..run(name, from, until) }
    }

    /// What the first of these runs is given, before and at its deadline, as places in the list; a
    /// negative start is that of a contested execution.
    fn given(runs: &[Sought], starts: &[i64]) -> [Option<usize>; 2] {
        let ids: Vec<_> =
            (0..starts.len()).map(|n| ExecutionId::new(&format!("x{n}")).unwrap()).collect();
        let candidates: Vec<_> = ids
            .iter()
            .zip(starts)
            .map(|(execution, start)| Candidate {
                execution,
                start: Wall(start.abs()),
                contested: *start < 0,
            })
            .collect();
        let (own, rivals) = runs.split_first().unwrap();
        let place = |id: Option<&ExecutionId>| id.and_then(|id| ids.iter().position(|x| x == id));
        [
            place(before_the_deadline(own, rivals, &candidates)),
            place(at_the_deadline(own, rivals, &candidates)),
        ]
    }

    #[test]
    fn a_run_alone_is_given_the_only_one_in_its_window() {
        let alone = [run("a", 10, 20)];
        assert_eq!(given(&alone, &[15]), [Some(0); 2]);
        assert_eq!(given(&alone, &[10]), [Some(0); 2]);
        assert_eq!(given(&alone, &[20]), [Some(0); 2]);
        assert_eq!(given(&alone, &[9, 15, 21]), [Some(1); 2]);
        assert_eq!(given(&alone, &[]), [None; 2]);
        assert_eq!(given(&alone, &[9, 21]), [None; 2]);
        assert_eq!(given(&alone, &[12, 15]), [None; 2], "one of them is somebody else's");
        assert_eq!(given(&alone, &[-15]), [None; 2], "it may be another run's");
        assert_eq!(given(&alone, &[-12, 15]), [None; 2]);
    }

    #[test]
    fn several_runs_are_given_theirs_at_the_deadline_where_there_is_only_one_way() {
        let two = [run("a", 10, 20), run("b", 14, 24)];
        assert_eq!(given(&two, &[12, 22]), [None, Some(0)], "each can only be one run's");
        assert_eq!(given(&two, &[12, 16]), [None, Some(0)], "the second run can't own the first");
        assert_eq!(given(&two, &[16, 22]), [None, Some(0)], "the first run can't own the second");
        assert_eq!(given(&two, &[15, 18]), [None, None], "either may own either");
        assert_eq!(given(&two, &[15]), [None, None], "either may own it");
        assert_eq!(given(&two, &[12]), [None, Some(0)], "the second run has nothing to do with it");
        assert_eq!(given(&two, &[22]), [None, None], "it is the second run's");
        assert_eq!(given(&two, &[12, 15, 22]), [None, None]);
        assert_eq!(given(&two, &[12, -16]), [None, None]);
        let other_way_round = [run("b", 14, 24), run("a", 10, 20)];
        assert_eq!(given(&other_way_round, &[12, 16]), [None, Some(1)]);
        let apart = [run("a", 10, 20), run("b", 40, 50)];
        assert_eq!(given(&apart, &[15, 45, 46]), [None, Some(0)]);
    }

    #[test]
    fn what_may_be_that_of_a_run_given_up_before_is_not_given_to_the_next() {
        let next = [run("b", 14, 24), over("a", 10, 20)];
        assert_eq!(given(&next, &[16]), [None, None]);
        assert_eq!(given(&next, &[22]), [Some(0); 2]);
        assert_eq!(given(&next, &[12, 16]), [None, Some(1)], "the first is the older run's alone");
    }

    #[test]
    fn three_runs_in_a_row_are_told_apart_only_where_none_can_change_places() {
        let three = [run("a", 10, 20), run("b", 14, 24), run("c", 18, 28)];
        assert_eq!(given(&three, &[12, 16, 26]), [None, Some(0)]);
        assert_eq!(given(&three, &[12, 19, 20]), [None, None], "b and c may change places");
        assert_eq!(given(&three, &[15, 19, 26]), [None, None], "a and b may change places");
    }
}
