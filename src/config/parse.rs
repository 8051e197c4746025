//! From the texts of all files to one config, or to all that is wrong with them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::account::{self, Known};
use super::document;
use super::fields::{Fields, Read};
use super::pipeline::{self, Draft};
use super::problem::{Place, Problem, Problems, Report, Warning, quoted};
use super::settings::Settings;
use super::{Config, MetricsOptions, Pipeline, Results, Storage, storage};

/// A file of the config, read.
#[derive(Clone, Debug)]
pub struct Source {
    /// What it is called. Files that it names are relative to its folder.
    pub name: PathBuf,
    /// What it says.
    pub text: String,
}

/// Makes one config of `files`, each of which has `defaults` for its own pipelines only.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn parse(files: &[Source]) -> Result<(Config, Vec<Warning>), Problems> {
    assemble(files, Vec::new())
}

/// The same for `files` as far as they could be read; `problems` tells of the rest.
pub(super) fn assemble(
    files: &[Source],
    problems: Vec<Problem>,
) -> Result<(Config, Vec<Warning>), Problems> {
    let mut found = Found { unread: !problems.is_empty(), ..Found::default() };
    found.report.problems = problems;
    for file in files {
        found.read(file);
    }
    let first = files.first().map_or(Path::new("config"), |file| &file.name);
    found.finish(&Place::file(first))
}

/// What was found in the files so far. A place is there where the key is, even with nothing good.
#[derive(Default)]
struct Found {
    report: Report,
    /// Whether a file could not be read: then nothing is called missing.
    unread: bool,
    accounts_place: Option<Place>,
    accounts: Vec<account::Found>,
    /// Whether an account could not be read: then none is called unknown.
    accounts_hidden: bool,
    storage_place: Option<Place>,
    storage: Option<Storage>,
    pipelines_place: Option<Place>,
    /// Of each file that has any.
    groups: Vec<Group>,
}

/// The pipelines of one file, and what holds for them.
struct Group {
    place: Place,
    defaults: Settings,
    drafts: Vec<Draft>,
}

impl Found {
    fn read(&mut self, file: &Source) {
        let place = Place::file(&file.name);
        let folder = file.name.parent().unwrap_or(Path::new(""));
        let read = document::read(&file.text, &place, &mut self.report).and_then(|document| {
            Fields::of(&document, place.clone(), &mut self.report, |fields| {
                fields.leave("x-");
                fields.not_yet(&["results", "metrics", "notifications"]);
                let accounts = fields.each("accounts", |fields| account::read(fields, folder));
                let defaults =
                    fields.nested("defaults", |fields| Some(pipeline::read_defaults(fields)));
                let drafts = fields.each("pipelines", |fields| Draft::read(fields, folder));
                (accounts, defaults, drafts, fields.nested("storage", storage::read))
            })
        });
        let Some((accounts, defaults, drafts, storage)) = read else {
            self.unread = true;
            return;
        };
        if !matches!(accounts, Read::Absent) {
            once(&mut self.accounts_place, place.key("accounts"), &mut self.report);
        }
        if !matches!(storage, Read::Absent) {
            once(&mut self.storage_place, place.key("storage"), &mut self.report);
        }
        if !matches!(drafts, Read::Absent) {
            self.pipelines_place.get_or_insert(place.key("pipelines"));
        }
        match accounts.unless_absent(Vec::new()) {
            Some(accounts) => {
                self.accounts_hidden |= accounts.iter().any(Option::is_none);
                self.accounts.extend(accounts.into_iter().flatten());
            }
            None => self.accounts_hidden = true,
        }
        self.storage = self.storage.take().or(storage.good());
        let defaults = defaults.unless_absent(Settings::NONE);
        if let (Some(defaults), Some(drafts)) = (defaults, drafts.unless_absent(Vec::new())) {
            let drafts = drafts.into_iter().flatten().collect();
            self.groups.push(Group { place, defaults, drafts });
        }
    }

    /// Checks what concerns several entries or files; `first` is the place of the first file.
    fn finish(mut self, first: &Place) -> Result<(Config, Vec<Warning>), Problems> {
        let known = self.known_accounts(first);
        if self.pipelines_place.is_none() && !self.unread {
            self.report.problem(&first.key("pipelines"), "missing, want a list of pipelines");
        }
        let pipelines = finish_pipelines(self.groups, &known, &mut self.report);
        if !self.report.problems.is_empty() {
            return Err(Problems(self.report.problems));
        }
        if let (Some(place), true) = (&self.pipelines_place, pipelines.is_empty()) {
            self.report.warn(place, "there is no pipeline, so nothing is ever triggered");
        }
        let accounts = self.accounts.into_iter().filter_map(|found| found.account);
        let config = Config {
            accounts: accounts.map(|account| (account.name.clone(), Arc::new(account))).collect(),
            pipelines: pipelines.into_iter().map(Arc::new).collect(),
            storage: self.storage.unwrap_or_default(),
            results: Results::default(),
            metrics: MetricsOptions::default(),
            notifications: None,
        };
        Ok((config, self.report.warnings))
    }

    fn known_accounts(&mut self, first: &Place) -> Known {
        let mut complete = !self.unread && !self.accounts_hidden;
        if complete && self.accounts.is_empty() {
            let place = self.accounts_place.clone().unwrap_or_else(|| first.key("accounts"));
            self.report.problem(&place, "found none, want a list with at least one account");
            complete = false;
        }
        let mut unique = Unique::default();
        let mut names = Vec::new();
        for found in &self.accounts {
            let Some(name) = &found.name else {
                complete = false;
                continue;
            };
            if unique.add(name.as_str(), &found.place, &mut self.report) {
                names.push(name.clone());
            }
        }
        Known { names, complete }
    }
}

/// Notes that a section stands at `place`, and reports it where it stood elsewhere before.
fn once(seen: &mut Option<Place>, place: Place, report: &mut Report) {
    match seen {
        Some(first) => {
            let first = first.seen_from(&place);
            report.problem(&place, format!("found a second time after {first}, want it once"));
        }
        None => *seen = Some(place),
    }
}

/// Texts that may occur once, with their places.
#[derive(Default)]
struct Unique(HashMap<String, Place>);

impl Unique {
    /// Whether `text` is new; that it is not is reported at `place`.
    fn add(&mut self, text: &str, place: &Place, report: &mut Report) -> bool {
        let Some(first) = self.0.get(text) else {
            self.0.insert(text.to_owned(), place.clone());
            return true;
        };
        let first = first.seen_from(place);
        let found = quoted(text);
        report.problem(place, format!("found {found}, which {first} is already, want another"));
        false
    }
}

fn finish_pipelines(groups: Vec<Group>, known: &Known, report: &mut Report) -> Vec<Pipeline> {
    let mut names = Unique::default();
    let mut targets: HashMap<[String; 5], Place> = HashMap::new();
    let mut pipelines = Vec::new();
    for group in groups {
        let mut defaults = group.defaults;
        if let Read::Is(account) = &defaults.account {
            let place = group.place.key("defaults").key("account");
            let account = known.pick(Read::Is(account.clone()), &place, report);
            defaults.account = account.map_or(Read::Wrong, Read::Is);
        }
        for draft in group.drafts {
            let place = draft.place.clone();
            if let Some(name) = draft.name() {
                names.add(name.as_str(), &place.key("name"), report);
            }
            let Some(pipeline) = draft.finish(&defaults, known, report) else { continue };
            match targets.entry(target(&pipeline)) {
                Entry::Occupied(first) => {
                    let first = first.get().seen_from(&place);
                    report.warn(&place, format!("{first} starts the same by the same trigger"));
                }
                Entry::Vacant(entry) => {
                    entry.insert(place);
                }
            }
            pipelines.push(pipeline);
        }
    }
    pipelines
}

/// What a pipeline starts.
fn target(pipeline: &Pipeline) -> [String; 5] {
    let Pipeline { account, org, project, pipeline, trigger, .. } = pipeline;
    [account.to_string(), org.clone(), project.clone(), pipeline.clone(), trigger.clone()]
}
