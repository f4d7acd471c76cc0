//! Several nodes as one: the first that answers and does not lag behind the others.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ballast_client::Rpc;
use ballast_client::rpc::{At, Fault, Result};

use crate::lock;
use crate::metrics::Metrics;

/// A node has so long to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// If all nodes say for so long that the chain stands at an earlier slot, then it does: it was rolled back or restarted.
const ROLLED_BACK: Duration = Duration::from_secs(2);

/// The nodes.
pub struct Nodes {
    list: Vec<Rpc>,
    current: AtomicUsize,
    highest: AtomicU64,
    lag: u64,
    behind: Mutex<Option<Instant>>,
    rollbacks: AtomicU64,
    metrics: std::sync::Arc<Metrics>,
}

impl Nodes {
    /// Nodes by their addresses; one that is so many slots behind is not believed.
    pub fn new(urls: &[String], lag: u64, metrics: std::sync::Arc<Metrics>) -> Self {
        Self {
            list: urls.iter().map(|url| Rpc::with_patience(url.as_str(), PATIENCE)).collect(),
            current: AtomicUsize::new(0),
            highest: AtomicU64::new(0),
            lag,
            behind: Mutex::new(None),
            rollbacks: AtomicU64::new(0),
            metrics,
        }
    }

    /// The node asked first.
    pub fn current(&self) -> &Rpc {
        // Never empty: the configuration is checked.
        &self.list[self.current.load(Ordering::Relaxed) % self.list.len()]
    }

    /// Its place in the list.
    pub fn place(&self) -> usize {
        self.current.load(Ordering::Relaxed) % self.list.len()
    }

    /// All of them.
    pub fn all(&self) -> &[Rpc] {
        &self.list
    }

    /// How often the chain has gone back.
    pub fn rollbacks(&self) -> u64 {
        self.rollbacks.load(Ordering::Relaxed)
    }

    /// Takes note of a slot that was seen; `false` for one so far behind that what comes with it is not to be believed.
    pub fn believe(&self, slot: u64) -> bool {
        let highest = self.highest.fetch_max(slot, Ordering::Relaxed).max(slot);
        if slot.saturating_add(self.lag) >= highest {
            *lock(&self.behind) = None;
            return true;
        }
        false
    }

    /// Asks the current node, and the others in turn where it does not answer.
    ///
    /// # Errors
    /// The last node's fault, or the first that asking elsewhere does not mend.
    pub async fn ask<T, F: Future<Output = Result<T>>>(&self, request: impl Fn(Rpc) -> F) -> Result<T> {
        let mut last = Fault::Invalid("there is no node".to_owned());
        for _ in 0..self.list.len() {
            let place = self.place();
            match request(self.current().clone()).await {
                Ok(answer) => return Ok(answer),
                Err(fault) if fault.is_passing() => {
                    self.metrics.add("ballast_keeper_rpc_faults_total", &[("kind", kind(&fault))], 1);
                    tracing::debug!(%fault, "asking the next node");
                    self.turn(place);
                    last = fault;
                }
                Err(fault) => return Err(fault),
            }
        }
        Err(last)
    }

    /// The same for an answer with its slot: one from a node that lags behind is not taken.
    ///
    /// # Errors
    /// As [`Nodes::ask`]; [`Fault::Behind`].
    pub async fn ask_at<T, F: Future<Output = Result<At<T>>>>(&self, request: impl Fn(Rpc) -> F) -> Result<At<T>> {
        let request = &request;
        let answer = self
            .ask(|rpc| async move {
                let url = rpc.url().to_owned();
                let answer = request(rpc).await?;
                if self.believe(answer.slot) {
                    return Ok(answer);
                }
                Err(Fault::Behind { url, detail: format!("its slot is {}", answer.slot) })
            })
            .await;
        if matches!(answer, Err(Fault::Behind { .. })) {
            self.all_behind();
        }
        answer
    }

    /// Nobody has a newer slot. If that lasts, the chain itself went back.
    fn all_behind(&self) {
        let mut behind = lock(&self.behind);
        let since = *behind.get_or_insert_with(Instant::now);
        if since.elapsed() >= ROLLED_BACK {
            *behind = None;
            self.highest.store(0, Ordering::Relaxed);
            self.rollbacks.fetch_add(1, Ordering::Relaxed);
            self.metrics.add("ballast_keeper_rollbacks_total", &[], 1);
            tracing::warn!("the chain stands at an earlier slot than before: everything is read again");
        }
    }

    fn turn(&self, from: usize) {
        let next = (from + 1) % self.list.len();
        let _ = self.current.compare_exchange(from, next, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// What kind of fault, for the metrics.
fn kind(fault: &Fault) -> &'static str {
    match fault {
        Fault::Unreachable { .. } => "unreachable",
        Fault::Limited { .. } => "limited",
        Fault::Behind { .. } => "behind",
        Fault::Blockhash => "blockhash",
        Fault::Refused(_) | Fault::Missing(_) | Fault::Invalid(_) => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(count: usize) -> Nodes {
        let urls: Vec<String> = (0..count).map(|n| format!("http://127.0.0.1:{n}")).collect();
        Nodes::new(&urls, 10, std::sync::Arc::default())
    }

    #[tokio::test]
    async fn the_next_node_is_asked_and_stays_the_current_one() {
        let nodes = nodes(3);
        let answer = nodes
            .ask(|rpc| async move {
                if rpc.url().ends_with(":2") { Ok(7) } else { Err(Fault::Limited { url: rpc.url().to_owned() }) }
            })
            .await;
        assert_eq!(answer.unwrap(), 7);
        assert!(nodes.current().url().ends_with(":2"));
        let refused = nodes.ask(|_| async { Err::<(), _>(Fault::Invalid("x".into())) }).await;
        assert!(matches!(refused, Err(Fault::Invalid(_))), "asking elsewhere would not mend it");
    }

    #[tokio::test]
    async fn a_node_that_lags_is_not_believed_unless_all_do() {
        let nodes = nodes(2);
        let slots = |first: u64, second: u64| {
            let nodes = &nodes;
            async move {
                let slot = |rpc: &Rpc| if rpc.url().ends_with(":0") { first } else { second };
                nodes.ask_at(|rpc| async move { Ok(At { slot: slot(&rpc), value: () }) }).await.map(|at| at.slot)
            }
        };
        assert_eq!(slots(100, 100).await.unwrap(), 100);
        assert_eq!(slots(89, 101).await.unwrap(), 101, "eleven behind");
        assert_eq!(slots(101, 91).await.unwrap(), 91, "ten behind is near enough");
        assert!(matches!(slots(5, 6).await, Err(Fault::Behind { .. })));
        assert_eq!(nodes.rollbacks(), 0);
        tokio::time::sleep(ROLLED_BACK).await;
        assert!(slots(5, 6).await.is_err());
        assert_eq!(nodes.rollbacks(), 1);
        assert!(slots(5, 6).await.is_ok(), "it is the chain that went back");
    }
}
