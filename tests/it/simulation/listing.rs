//! What the simulated Harness says to who has a key: lists of executions, and one by its id.

use harness_exporter::engine::ReadExecution;
use harness_exporter::model::{
    AccountName, Answered, EventId, ExecutionAnswer, ExecutionFilter, ExecutionsAnswer,
    ExecutionsPage, ExecutionsQuery, ListedExecution, Refusal, Summary,
};

use super::harness::{Event, Harness, Lists, Trouble};
use super::rng::Rng;

impl Harness {
    /// What befalls a read that takes a key; none where it is answered as it should be.
    fn misfortune(&self, at: u64, rng: &mut Rng) -> Option<(Option<u16>, u64)> {
        let took = rng.between(1, 400);
        match self.trouble(at) {
            Some(Trouble::Away) => Some((None, took)),
            Some(Trouble::Broken) => Some((Some(500), took)),
            Some(Trouble::Throttling) => Some((Some(429), took)),
            None if rng.per_mille(self.roughness) => {
                Some((rng.pick(&[None, Some(500), Some(500), Some(429), Some(403)]), took))
            }
            None => None,
        }
    }

    /// Answers a list. The answer, and how long it takes.
    pub(super) fn list(
        &self,
        account: &AccountName,
        query: &ExecutionsQuery,
        at: u64,
        rng: &mut Rng,
    ) -> (Answered<ExecutionsAnswer>, u64) {
        let refused = |status: u16| {
            let (code, message) = (String::new(), String::new());
            ExecutionsAnswer::Refused(Box::new(Refusal { status, code, message }))
        };
        let all = matches!(query.filter, ExecutionFilter::Pipeline(_));
        let some = matches!(query.filter, ExecutionFilter::Ids(_)) && rng.per_mille(self.roughness);
        let (answer, code, took) = match self.misfortune(at, rng) {
            Some((Some(429), took)) => {
                (ExecutionsAnswer::Throttled { retry_after: None }, Some(429), took)
            }
            Some((Some(403), took)) => (refused(403), Some(403), took),
            Some((code, took)) => (ExecutionsAnswer::Failed { message: String::new() }, code, took),
            None if !all && self.lists == Lists::OnlyByPipeline => (refused(400), Some(400), 1),
            None if rng.per_mille(self.roughness / 4) => {
                (ExecutionsAnswer::TooLarge, Some(200), rng.between(1, 400))
            }
            None => {
                let mut page = self.page(account, query, at);
                // Of those that were asked for by their ids any may be missing.
                page.executions.retain(|_| !some || rng.per_mille(500));
                (ExecutionsAnswer::Page(Box::new(page)), Some(200), rng.between(1, 400))
            }
        };
        (self.answered(answer, code, took), took)
    }

    fn page(&self, account: &AccountName, query: &ExecutionsQuery, at: u64) -> ExecutionsPage {
        let wanted = |event: &Event| {
            event.account == *account
                && match &query.filter {
                    ExecutionFilter::Triggers { triggers, from, until } => {
                        triggers.contains(&event.target.trigger)
                            && (*from..=*until).contains(&self.wall(event.execution.start))
                    }
                    ExecutionFilter::Pipeline(pipeline) => *pipeline == event.target.pipeline,
                    ExecutionFilter::Ids(ids) => {
                        self.lists == Lists::IgnoringIds || ids.contains(&event.execution.id)
                    }
                }
        };
        let mut found: Vec<_> =
            self.events.iter().filter(|(_, event)| event.shows_at(at) && wanted(event)).collect();
        found.sort_by_key(|(id, event)| std::cmp::Reverse((event.execution.start, id.as_str())));
        let (page, size) = (query.page as usize, query.size as usize);
        let shown = found.iter().skip(page * size).take(size);
        ExecutionsPage {
            executions: shown.map(|(id, event)| self.listed(id, event, at)).collect(),
            last: (page + 1) * size >= found.len(),
            total: None,
        }
    }

    fn listed(&self, id: &EventId, event: &Event, at: u64) -> ListedExecution {
        ListedExecution {
            id: event.execution.id.clone(),
            org: Some(event.target.org.clone()),
            project: Some(event.target.project.clone()),
            pipeline: event.target.pipeline.clone(),
            trigger: Some(event.target.trigger.clone()),
            trigger_type: "WEBHOOK_CUSTOM".to_owned(),
            event: self.tells_events.then(|| id.clone()),
            created: Some(self.wall(event.execution.start)),
            summary: Summary {
                start: Some(self.wall(event.execution.start)),
                ..self.summary(&event.execution, at)
            },
        }
    }

    /// Answers the reading of an execution. The answer, and how long it takes.
    pub(super) fn read_execution(
        &self,
        read: &ReadExecution,
        at: u64,
        rng: &mut Rng,
    ) -> (Answered<ExecutionAnswer>, u64) {
        let (answer, code, took) = match self.misfortune(at, rng) {
            Some((Some(429), took)) => {
                (ExecutionAnswer::Throttled { retry_after: None }, Some(429), took)
            }
            Some((code, took)) => (ExecutionAnswer::Failed { message: String::new() }, code, took),
            None => match self.event_of(&read.execution).filter(|event| event.shows_at(at)) {
                Some(event) => {
                    let summary = Box::new(self.summary(&event.execution, at));
                    (ExecutionAnswer::Summary(summary), Some(200), rng.between(1, 400))
                }
                None => (ExecutionAnswer::Missing, Some(404), rng.between(1, 400)),
            },
        };
        (self.answered(answer, code, took), took)
    }
}
