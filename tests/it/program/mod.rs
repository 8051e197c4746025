//! The whole program: the real binary over real HTTP on a real store, against a stand-in of
//! Harness in this process. What it shows, what it did and what it remembers are compared at the
//! end of every test.

mod adoption;
mod by_hand;
mod due_times;
mod exporter;
mod ledger;
mod log;
mod lookups;
mod notified;
mod odd_answers;
mod options;
mod process;
mod random_kills;
mod reading_faults;
mod refusals;
mod reloaded_accounts;
mod reloads;
mod reloads_under_load;
mod scrape;
mod scraper;
mod secrets;
mod seed;
mod store_trouble;
mod support;
mod trigger_faults;
