//! From the texts of all files to one config, or to all that is wrong with them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::account::{self, Known};
use super::document;
use super::fields::{Fields, Read};
use super::index::Index;
use super::pipeline::{self, Draft, Whole};
use super::place::Place;
use super::problem::{Problem, Problems, Report, Warning, quoted};
use super::secret::{Beside, Secrets};
use super::settings::Settings;
use super::{
    Config, MetricsOptions, Pipeline, Results, SecretSource, Storage, budget, options, storage,
};

/// A file of the config, read.
#[derive(Clone, Debug)]
pub struct Source {
    /// What it is called. Files that it names are relative to its folder.
    pub name: PathBuf,
    /// What it says.
    pub text: String,
}

/// Makes one config of `files`, each of which has `defaults` for its own pipelines only. Opens no
/// secret.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn parse(files: &[Source]) -> Result<(Config, Vec<Warning>), Problems> {
    assemble(files, Secrets::Closed, Vec::new())
}

/// The same for `files` as far as they could be read; `problems` tells of the rest.
pub(super) fn assemble(
    files: &[Source],
    secrets: Secrets<'_>,
    problems: Vec<Problem>,
) -> Result<(Config, Vec<Warning>), Problems> {
    let mut found = Found { unread: !problems.is_empty(), ..Found::default() };
    found.report.problems = problems;
    for file in files {
        found.read(file, secrets);
    }
    let first = files.first().map_or(Path::new("config"), |file| &file.name);
    let (config, mut report) = found.finish(&Place::file(first));
    if !report.problems.is_empty() || !report.warnings.is_empty() {
        for file in files {
            if let Some(index) = Index::new(&file.text) {
                report.locate(&file.name.display().to_string(), &index);
            }
        }
    }
    match config {
        Some(config) if report.problems.is_empty() => Ok((config, report.warnings)),
        _ => Err(Problems(report.problems)),
    }
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
    storage: Once<Storage>,
    results: Once<Results>,
    metrics: Once<MetricsOptions>,
    notifications: Once<SecretSource>,
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

/// A section that may stand in one file only.
struct Once<T> {
    place: Option<Place>,
    value: Option<T>,
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self { place: None, value: None }
    }
}

impl<T> Once<T> {
    fn add(&mut self, read: Read<T>, place: Place, report: &mut Report) {
        if !matches!(read, Read::Absent) {
            once(&mut self.place, place, report);
        }
        self.value = self.value.take().or(read.good());
    }

    /// The value, the default where it stood nowhere, none where it has a problem.
    fn or_default(self) -> Option<T>
    where
        T: Default,
    {
        if self.place.is_none() { Some(T::default()) } else { self.value }
    }
}

/// The sections of one file.
struct Sections {
    accounts: Read<Vec<Option<account::Found>>>,
    defaults: Read<Settings>,
    drafts: Read<Vec<Option<Draft>>>,
    storage: Read<Storage>,
    results: Read<Results>,
    metrics: Read<MetricsOptions>,
    notifications: Read<SecretSource>,
}

impl Sections {
    fn read(fields: &mut Fields<'_>, beside: Beside<'_>) -> Self {
        fields.leave("x-");
        Self {
            accounts: fields.each("accounts", |fields| account::read(fields, beside.folder)),
            defaults: fields.nested("defaults", |fields| Some(pipeline::read_defaults(fields))),
            drafts: fields.each("pipelines", |fields| Draft::read(fields, beside)),
            storage: fields.nested("storage", storage::read),
            results: fields.nested("results", options::read_results),
            metrics: fields.nested("metrics", options::read_metrics),
            notifications: fields.nested("notifications", |fields| {
                options::read_notifications(fields, beside.folder)
            }),
        }
    }
}

impl Found {
    fn read(&mut self, file: &Source, secrets: Secrets<'_>) {
        let place = Place::file(&file.name);
        let folder = file.name.parent().unwrap_or(Path::new(""));
        let beside = Beside { folder, secrets };
        let report = &mut self.report;
        let read = document::read(&file.text, &place, report).and_then(|document| {
            Fields::of(&document, place.clone(), report, |fields| Sections::read(fields, beside))
        });
        let Some(read) = read else {
            self.unread = true;
            return;
        };
        if !matches!(read.accounts, Read::Absent) {
            once(&mut self.accounts_place, place.key("accounts"), report);
        }
        self.storage.add(read.storage, place.key("storage"), report);
        self.results.add(read.results, place.key("results"), report);
        self.metrics.add(read.metrics, place.key("metrics"), report);
        self.notifications.add(read.notifications, place.key("notifications"), report);
        if !matches!(read.drafts, Read::Absent) {
            self.pipelines_place.get_or_insert(place.key("pipelines"));
        }
        match read.accounts.unless_absent(Vec::new()) {
            Some(accounts) => {
                self.accounts_hidden |= accounts.iter().any(Option::is_none);
                self.accounts.extend(accounts.into_iter().flatten());
            }
            None => self.accounts_hidden = true,
        }
        let defaults = read.defaults.unless_absent(Settings::NONE);
        if let (Some(defaults), Some(drafts)) = (defaults, read.drafts.unless_absent(Vec::new())) {
            let drafts = drafts.into_iter().flatten().collect();
            self.groups.push(Group { place, defaults, drafts });
        }
    }

    /// Checks what concerns several entries or files; `first` is the place of the first file.
    fn finish(mut self, first: &Place) -> (Option<Config>, Report) {
        let accounts = self.known_accounts(first);
        let metrics = self.metrics.or_default();
        let labels = metrics.as_ref().filter(|_| !self.unread).map(|m| m.labels.clone());
        let whole = Whole { accounts, labels };
        if self.pipelines_place.is_none() && !self.unread {
            self.report.problem(&first.key("pipelines"), "missing, want a list of pipelines");
        }
        let pipelines = finish_pipelines(self.groups, &whole, &mut self.report);
        if !self.report.problems.is_empty() {
            return (None, self.report);
        }
        if let (Some(place), true) = (&self.pipelines_place, pipelines.is_empty()) {
            self.report.warn(place, "there is no pipeline, so nothing is ever triggered");
        }
        for found in &self.accounts {
            if let Some(account) = &found.account {
                budget::check(account, &found.place, &pipelines, &mut self.report);
            }
        }
        let accounts = self.accounts.into_iter().filter_map(|found| found.account);
        let config = Config {
            accounts: accounts.map(|account| (account.name.clone(), Arc::new(account))).collect(),
            pipelines: pipelines.into_iter().map(Arc::new).collect(),
            storage: self.storage.or_default().unwrap_or_default(),
            results: self.results.or_default().unwrap_or_default(),
            metrics: metrics.unwrap_or_default(),
            notifications: self.notifications.value,
        };
        (Some(config), self.report)
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
            if unique.add(name.as_str(), &found.place.key("name"), &mut self.report) {
                names.push(name.clone());
            }
        }
        let good = self.accounts.iter().filter_map(|found| found.account.clone()).collect();
        Known { names, complete, good }
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

fn finish_pipelines(groups: Vec<Group>, whole: &Whole, report: &mut Report) -> Vec<Pipeline> {
    let mut names = Unique::default();
    let mut targets: HashMap<[String; 5], Place> = HashMap::new();
    let mut pipelines = Vec::new();
    for group in groups {
        let mut defaults = group.defaults;
        let place = group.place.key("defaults");
        whole.check_labels(&defaults.labels, &place, report);
        if let Read::Is(account) = &defaults.account {
            let place = place.key("account");
            let account = whole.accounts.pick(Read::Is(account.clone()), &place, report);
            defaults.account = account.map_or(Read::Wrong, Read::Is);
        }
        for draft in group.drafts {
            let place = draft.place.clone();
            if let Some(name) = draft.name() {
                names.add(name.as_str(), &place.key("name"), report);
            }
            let Some(pipeline) = draft.finish(&defaults, whole, report) else { continue };
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
