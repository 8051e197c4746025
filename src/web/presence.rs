//! What a connection is about: whether somebody is being served on it, or it waits, and since when.
//!
//! Where all places are taken, who waits gives way, whoever has waited longest first. Who is being
//! served never does, up to the last byte of the response.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counts what happens at one door. Only the order of its numbers matters.
#[derive(Clone, Debug, Default)]
pub(super) struct Order(Arc<AtomicU64>);

/// The state of one connection. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Presence(Arc<State>);

#[derive(Debug)]
struct State {
    order: Order,
    asked: AtomicBool,
    served: AtomicBool,
    /// A response is under way that the client does not take.
    stalled: AtomicBool,
    since: AtomicU64,
}

/// While it is there, a request is being answered.
pub(super) struct Service(Presence);

impl Order {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

impl Presence {
    /// A connection that has just come in.
    pub(super) fn new(order: &Order) -> Self {
        Self(Arc::new(State {
            order: order.clone(),
            asked: AtomicBool::new(false),
            served: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            since: AtomicU64::new(order.next()),
        }))
    }

    /// A request is being answered until what is returned is dropped.
    pub(super) fn serve(&self) -> Service {
        self.0.asked.store(true, Ordering::Relaxed);
        self.0.served.store(true, Ordering::Relaxed);
        Service(self.clone())
    }

    /// Whether anything was ever asked on it.
    pub(super) fn has_asked(&self) -> bool {
        self.0.asked.load(Ordering::Relaxed)
    }

    /// The client does not take what is sent to it, or does again.
    pub(super) fn set_stalled(&self, stalled: bool) {
        if self.0.stalled.swap(stalled, Ordering::Relaxed) && !stalled {
            self.waits();
        }
    }

    /// Since when it has waited, as a number that grows; none while somebody is being served.
    pub(super) fn waits_since(&self) -> Option<u64> {
        let busy = self.0.served.load(Ordering::Relaxed) || self.0.stalled.load(Ordering::Relaxed);
        (!busy).then(|| self.0.since.load(Ordering::Relaxed))
    }

    fn waits(&self) {
        self.0.since.store(self.0.order.next(), Ordering::Relaxed);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.0.waits();
        self.0.0.served.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_waited_longest_has_the_smallest_number() {
        let order = Order::default();
        let (first, second) = (Presence::new(&order), Presence::new(&order));
        assert!(first.waits_since() < second.waits_since());
        let service = first.serve();
        assert_eq!((first.waits_since(), first.has_asked()), (None, true));
        drop(service);
        assert!(first.waits_since() > second.waits_since() && !second.has_asked());
        second.set_stalled(false);
        assert!(first.waits_since() > second.waits_since(), "it was not stalled");

        let service = second.serve();
        second.set_stalled(true);
        drop(service);
        assert_eq!(second.waits_since(), None, "the response is not yet taken");
        second.set_stalled(false);
        assert!(second.waits_since() > first.waits_since());
    }
}
