//! Metrics and health over HTTP, on loopback only.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::lock;
use crate::metrics::Metrics;

/// Without a newer slot for so long it is not healthy.
const SLOT_AGE: u64 = 10;
/// A request has so long to arrive.
const REQUEST: Duration = Duration::from_secs(2);

/// What the health endpoint answers from.
#[derive(Default)]
pub struct Pulse {
    /// Whether the book is whole.
    pub ready: AtomicBool,
    /// Whether the websocket is up.
    pub socket: AtomicBool,
    /// When a newer slot was last seen, Unix seconds.
    pub slot_at: AtomicU64,
    /// Whether the last look at everybody left nothing to do, and the publish time of the oldest price of an open market
    /// that it judged by, Unix seconds.
    resting: Mutex<(bool, i64)>,
}

/// The present, Unix seconds by this machine's clock.
pub fn present() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// The same in milliseconds.
pub fn present_millis() -> u64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Pulse {
    /// Takes note of a newer slot.
    pub fn beat(&self) {
        self.slot_at.store(present(), Ordering::Relaxed);
    }

    /// Takes note of a look at everybody: whether nothing is left to do and nothing under way, and by how old a price.
    pub fn rest(&self, idle: bool, price_time: i64) {
        *lock(&self.resting) = (idle, price_time);
    }

    /// Whether it is healthy, with the reasons in JSON.
    pub fn answer(&self) -> (bool, String) {
        let ready = self.ready.load(Ordering::Relaxed);
        let socket = self.socket.load(Ordering::Relaxed);
        let age = present().saturating_sub(self.slot_at.load(Ordering::Relaxed));
        // Without a socket it polls, which is slower but works.
        let healthy = ready && age <= SLOT_AGE;
        let (idle, price_time) = *lock(&self.resting);
        let text = serde_json::json!({
            "healthy": healthy,
            "ready": ready,
            "socket": socket,
            "slot_age_seconds": age,
            "idle": idle,
            "price_time": price_time,
        });
        (healthy, text.to_string())
    }
}

/// Serves until the task is dropped. Port 0 takes any free one; the address in use is returned.
///
/// # Errors
/// If the port cannot be had.
pub async fn serve(listen: SocketAddr, metrics: Arc<Metrics>, pulse: Arc<Pulse>) -> Result<SocketAddr> {
    let listener = TcpListener::bind(listen).await;
    let listener = listener.with_context(|| format!("{listen} is taken; choose another serve.listen"))?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (metrics, pulse) = (metrics.clone(), pulse.clone());
                    tokio::spawn(async move {
                        let _ = tokio::time::timeout(REQUEST, answer(stream, &metrics, &pulse)).await;
                    });
                }
                Err(error) => {
                    tracing::debug!(%error, "no connection accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    });
    Ok(address)
}

async fn answer(mut stream: TcpStream, metrics: &Metrics, pulse: &Pulse) -> std::io::Result<()> {
    let mut request = [0_u8; 1_024];
    let mut length = 0;
    while length < request.len() {
        let read = stream.read(&mut request[length..]).await?;
        length += read;
        if read == 0 || request[..length].windows(4).any(|end| end == b"\r\n\r\n") {
            break;
        }
    }
    let line = String::from_utf8_lossy(&request[..length]);
    let path = line.split_whitespace().nth(1).unwrap_or_default();
    let (status, kind, body) = match path {
        "/metrics" => ("200 OK", "text/plain; version=0.0.4", metrics.text()),
        "/health" => match pulse.answer() {
            (true, body) => ("200 OK", "application/json", body),
            (false, body) => ("503 Service Unavailable", "application/json", body),
        },
        _ => ("404 Not Found", "text/plain", "there are /metrics and /health\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn health_follows_the_slots_and_metrics_are_there() {
        let (metrics, pulse) = (Arc::new(Metrics::default()), Arc::new(Pulse::default()));
        metrics.set("ballast_keeper_accounts", &[], 3);
        let address = serve("127.0.0.1:0".parse().unwrap(), metrics, pulse.clone()).await.unwrap();
        assert!(get(address, "/health").await.starts_with("HTTP/1.1 503"));
        pulse.ready.store(true, Ordering::Relaxed);
        pulse.beat();
        pulse.rest(true, 1_700_000_000);
        let answer = get(address, "/health").await;
        assert!(answer.starts_with("HTTP/1.1 200"));
        assert!(answer.contains("\"idle\":true,\"price_time\":1700000000"), "{answer}");
        assert!(get(address, "/metrics").await.contains("ballast_keeper_accounts 3"));
        assert!(get(address, "/else").await.starts_with("HTTP/1.1 404"));
        pulse.slot_at.store(present() - SLOT_AGE - 1, Ordering::Relaxed);
        assert!(get(address, "/health").await.starts_with("HTTP/1.1 503"), "the chain stands still");
    }
}
