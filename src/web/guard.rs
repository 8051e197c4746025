//! Who is let in, by `--web.config.file`: users, and what they have to show by TLS.
//!
//! The file and those it names are looked at again with each request, as exporter-toolkit does, so
//! a new password or certificate needs no restart. What is no good is logged once, and what was
//! good before goes on.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use rustls::ServerConfig;
use tokio::sync::Semaphore;

use super::file::{Clients, File};
use super::keyed::Keyed;
use super::tls;
use super::users::{Claim, Hash, Judgement, Users};

/// How many passwords are checked at once: each takes a core for a tenth of a second or more, and
/// scrapes are to be served meanwhile.
const CHECKS_AT_ONCE: usize = 1;

/// How many may wait for that. Who comes after them is turned away, lest wrong passwords take up all
/// connections; a password that was right before waits for nothing.
const LONGEST_LINE: usize = 16;

/// A web config that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("web config {}: {what}", path.display())]
pub struct WebConfigError {
    path: PathBuf,
    what: String,
}

/// What stands between a request and the routes.
#[derive(Debug)]
pub struct Guard {
    watched: Option<Watched>,
    keyed: Keyed,
    checks: Arc<Semaphore>,
    line: Semaphore,
}

/// A file that may change.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    /// What was read last, good or not.
    seen: Vec<Seen>,
    terms: Arc<Terms>,
}

/// A file as it was just before it was read.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    path: PathBuf,
    stamp: Option<Stamp>,
}

/// What tells a file from what it was before.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    changed: (i64, i64),
    size: u64,
    inode: u64,
}

/// A web config with everything it needs.
#[derive(Debug)]
struct Terms {
    users: Users,
    tls: Option<Arc<ServerConfig>>,
}

impl Guard {
    /// Lets everybody in, without TLS.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub fn none() -> Result<Self, getrandom::Error> {
        let checks = Arc::new(Semaphore::new(CHECKS_AT_ONCE));
        let line = Semaphore::new(LONGEST_LINE);
        Ok(Self { watched: None, keyed: Keyed::new()?, checks, line })
    }

    /// Lets in whom the web config at `path` says, from now on.
    ///
    /// # Errors
    /// Where the file, or one that it names, cannot be used.
    pub fn open(path: &Path) -> Result<Self, WebConfigError> {
        let wrong = |what| WebConfigError { path: path.to_owned(), what };
        let mut seen = Vec::new();
        let terms = Arc::new(Terms::read(path, &mut seen).map_err(wrong)?);
        let held = Mutex::new(Held { seen, terms });
        let none = Self::none().map_err(|error| wrong(format!("no random numbers: {error}")))?;
        Ok(Self { watched: Some(Watched { path: path.to_owned(), held }), ..none })
    }

    /// Whether only users are let in.
    #[must_use]
    pub fn has_users(&self) -> bool {
        self.terms().is_some_and(|terms| !terms.users.is_empty())
    }

    /// The key by which secrets are compared.
    pub(super) const fn keyed(&self) -> &Keyed {
        &self.keyed
    }

    /// How to speak TLS with the next who connects; none where it is not to be spoken.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.terms()?.tls.clone()
    }

    /// Whether a request with these headers may come in.
    pub(super) async fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(terms) = self.terms().filter(|terms| !terms.users.is_empty()) else { return true };
        let Some(claim) = Claim::of(headers) else { return false };
        match terms.users.judge(&claim, &self.keyed) {
            None => false,
            Some(Judgement::Right) => true,
            Some(Judgement::Check { against, known }) => {
                let (user, tag) = (claim.user().to_owned(), claim.tag(&self.keyed));
                let right = self.check(claim, against).await && known;
                if right {
                    terms.users.remember(user, tag);
                }
                right
            }
        }
    }

    /// The work goes on, and counts, where who asked has gone: else hanging up would be a way
    /// around the limit.
    async fn check(&self, claim: Claim, against: Hash) -> bool {
        let Ok(_place) = self.line.try_acquire() else { return false };
        let Ok(permit) = self.checks.clone().acquire_owned().await else { return false };
        let checked = tokio::task::spawn_blocking(move || {
            let fits = against.fits(&claim.into_password());
            drop(permit);
            fits
        });
        checked.await.unwrap_or(false)
    }

    /// What holds now. The looks at the files are short enough for any thread.
    fn terms(&self) -> Option<Arc<Terms>> {
        let Watched { path, held } = self.watched.as_ref()?;
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.seen.iter().any(Seen::has_changed) {
            held.seen.clear();
            let read = Terms::read(path, &mut held.seen);
            match read.and_then(|terms| terms.may_follow(&held.terms)) {
                Ok(terms) => {
                    tracing::info!(path = %path.display(), "the web config was read again");
                    held.terms = Arc::new(terms);
                }
                Err(error) => tracing::error!(
                    path = %path.display(),
                    error,
                    "the web config is no good: what held before goes on"
                ),
            }
        }
        Some(held.terms.clone())
    }
}

impl Terms {
    /// Reads the web config at `path`, and notes in `seen` all that is read, also where it is no
    /// good.
    fn read(path: &Path, seen: &mut Vec<Seen>) -> Result<Self, String> {
        seen.push(Seen::now(path));
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let File { users, tls } = File::parse(&text, folder)?;
        if let Some(tls) = &tls {
            seen.extend([Seen::now(&tls.cert), Seen::now(&tls.key)]);
            if let Clients::MayShow(ca) | Clients::MustShow(ca) = &tls.clients {
                seen.push(Seen::now(ca));
            }
        }
        let tls = tls.as_ref().map(tls::server).transpose()?;
        Ok(Self { users: Users::new(users), tls })
    }

    /// An edit must not open what was closed: that needs a restart, at which it is weighed whether
    /// it may be open.
    fn may_follow(self, old: &Self) -> Result<Self, String> {
        if self.tls.is_some() != old.tls.is_some() {
            return Err("TLS is switched on and off by a restart only".to_owned());
        }
        if self.users.is_empty() && !old.users.is_empty() {
            return Err("the last user is taken away by a restart only".to_owned());
        }
        Ok(self)
    }
}

impl Seen {
    fn now(path: &Path) -> Self {
        let stamp = fs::metadata(path).ok().map(|file| Stamp {
            changed: (file.ctime(), file.ctime_nsec()),
            size: file.size(),
            inode: file.ino(),
        });
        Self { path: path.to_owned(), stamp }
    }

    fn has_changed(&self) -> bool {
        Self::now(&self.path) != *self
    }
}
