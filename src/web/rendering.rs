//! One rendering for all who asked before it began.
//!
//! A scrape must not be older than its request, so nobody is given a rendering that was already
//! under way when they asked. All who wait meanwhile share the next one: however many scrape at
//! once, each is answered by one of two renderings.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::task::JoinError;

/// The line in which scrapers wait.
#[derive(Default)]
pub(super) struct Rendering {
    /// How many have asked so far.
    asked: AtomicU64,
    last: Mutex<Last>,
}

/// The latest rendering, kept while somebody who shares it has yet to take it.
#[derive(Default)]
struct Last {
    /// Those whose number is below this had asked before it began.
    before: u64,
    body: Bytes,
    untaken: u64,
}

impl Rendering {
    /// The output of `render`, begun after this call was made. An error where `render` panicked.
    pub(super) async fn get<F>(&self, render: F) -> Result<Bytes, JoinError>
    where
        F: FnOnce() -> Bytes + Send + 'static,
    {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if number >= last.before {
            let before = self.asked.load(Ordering::SeqCst);
            let body = tokio::task::spawn_blocking(render).await?;
            *last = Last { before, body, untaken: before - last.before };
        }
        last.untaken = last.untaken.saturating_sub(1);
        let body = last.body.clone();
        if last.untaken == 0 {
            last.body = Bytes::new();
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;
    use std::time::Duration;

    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn those_who_waited_together_share_and_nobody_gets_an_older_one() {
        let line = Arc::new(Rendering::default());
        let renderings = Arc::new(AtomicUsize::new(0));
        let (open, gate) = mpsc::channel::<()>();
        let (begun, has_begun) = tokio::sync::oneshot::channel();

        let mut first = JoinSet::new();
        let its = line.clone();
        first.spawn(async move {
            its.get(move || {
                begun.send(()).unwrap();
                gate.recv_timeout(Duration::from_secs(30)).unwrap();
                Bytes::from_static(b"old")
            })
            .await
        });
        has_begun.await.unwrap();

        let mut rest = JoinSet::new();
        for _ in 0..50 {
            let (line, renderings) = (line.clone(), renderings.clone());
            rest.spawn(async move {
                line.get(move || {
                    let nth = renderings.fetch_add(1, Ordering::SeqCst);
                    Bytes::from(format!("new {nth}"))
                })
                .await
            });
        }
        while line.asked.load(Ordering::SeqCst) < 51 {
            tokio::task::yield_now().await;
        }
        open.send(()).unwrap();

        assert_eq!(first.join_next().await.unwrap().unwrap().unwrap(), "old");
        while let Some(body) = rest.join_next().await {
            assert_eq!(body.unwrap().unwrap(), "new 0");
        }
        assert_eq!(renderings.load(Ordering::SeqCst), 1);
        assert!(line.last.lock().await.body.is_empty(), "nothing is kept once all have it");
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_next_is_served() {
        let line = Rendering::default();
        assert!(line.get(|| panic!("no")).await.is_err());
        assert_eq!(line.get(|| Bytes::from_static(b"x")).await.unwrap(), "x");
    }
}
