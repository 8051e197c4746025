//! Pausing and resuming by hand. Runs go on being followed, and whoever asks for one gets it.

use super::due::by_itself;
use super::{Effect, Engine, Reply};
use crate::model::{Fact, Now, PipelineName};

impl Engine {
    /// Leaves the named pipelines alone at their due times, or all where none is named. What is due
    /// and has not been sent is missed.
    pub(super) fn pause(&mut self, asked: &[String], now: Now) -> Reply {
        let names = match self.named(asked) {
            Ok(known) => known,
            Err(unknown) => return Reply::UnknownPipeline(unknown),
        };
        for name in &names {
            self.notice(name, now);
            let Some(pipeline) = self.pipelines.get_mut(name) else { continue };
            let was_paused = pipeline.is_paused() || self.dry_run;
            if !std::mem::replace(&mut pipeline.held, true) {
                self.give_up_unsent(name, by_itself, now);
                if !was_paused {
                    self.close(name, now);
                }
                self.tell_row(name);
                self.await_next(name, now);
            }
        }
        Reply::Switched(names)
    }

    /// Takes them up again. What was due meanwhile was no due time.
    pub(super) fn resume(&mut self, asked: &[String], now: Now) -> Reply {
        let names = match self.named(asked) {
            Ok(known) => known,
            Err(unknown) => return Reply::UnknownPipeline(unknown),
        };
        for name in &names {
            let Some(pipeline) = self.pipelines.get_mut(name) else { continue };
            if std::mem::replace(&mut pipeline.held, false) {
                pipeline.begin_anew(now.wall);
                self.tell_row(name);
                self.await_next(name, now);
            }
        }
        Reply::Switched(names)
    }

    fn named(&self, named: &[String]) -> Result<Vec<PipelineName>, String> {
        if named.is_empty() {
            return Ok(self.pipelines.keys().cloned().collect());
        }
        let known = |name: &String| {
            let known = self.pipelines.get_key_value(name.as_str());
            known.map(|(name, _)| name.clone()).ok_or_else(|| name.clone())
        };
        named.iter().map(known).collect()
    }

    /// Tells what the store is to remember of a pipeline.
    pub(super) fn tell_row(&mut self, name: &PipelineName) {
        if let Some(pipeline) = self.pipelines.get(name) {
            let row = pipeline.row(self.dry_run);
            self.effects.push(Effect::Fact(Fact::Loaded(row)));
        }
    }
}
