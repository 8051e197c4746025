//! Scrapes without a pause, beside whatever else a test does.

use std::net::SocketAddr;

use tokio::sync::oneshot::{self, Receiver, Sender, error::TryRecvError};
use tokio::task::JoinSet;

use super::exporter::{Exporter, scraped};

/// One who scrapes, until told to end.
pub(super) struct Scraper {
    scraping: JoinSet<u32>,
    end: Sender<()>,
}

impl Scraper {
    /// Begins. Each scrape must be answered, be right, and tell of the pipeline `always`.
    pub(super) fn of(exporter: &Exporter, always: &str) -> Self {
        let (end, ended) = oneshot::channel();
        let mut scraping = JoinSet::new();
        let always = format!("harness_pipeline_info{{pipeline=\"{always}\"}}");
        scraping.spawn(scrape(exporter.address(), always, ended));
        Self { scraping, end }
    }

    /// How many scrapes there were, every one of which was as it must be.
    pub(super) async fn end(mut self) -> u32 {
        // Where it has ended by itself, it says so below.
        let _ = self.end.send(());
        self.scraping.join_next().await.unwrap().expect("a scrape went wrong")
    }
}

async fn scrape(address: SocketAddr, always: String, mut ended: Receiver<()>) -> u32 {
    let mut last = scraped(address).await;
    let mut count = 1;
    while ended.try_recv() == Err(TryRecvError::Empty) {
        let scrape = scraped(address).await;
        assert_eq!(scrape.count(&always), 1, "{always}");
        scrape.check_since(&last, true);
        last = scrape;
        count += 1;
    }
    count
}
