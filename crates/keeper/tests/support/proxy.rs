//! A small TCP proxy that can be told to misbehave.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mode {
    /// They are passed on.
    Open = 0,
    /// They are closed at once.
    Closed = 1,
    /// Each HTTP request is told that there were too many.
    Limited = 2,
    /// They are accepted, and nothing ever comes.
    Silent = 3,
}

/// A proxy on loopback.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    mode: Arc<AtomicU8>,
    target: Arc<AtomicU16>,
    cut: watch::Sender<u64>,
}

impl Proxy {
    /// A proxy to a port.
    pub(crate) async fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mode, target) = (Arc::new(AtomicU8::new(0)), Arc::new(AtomicU16::new(target)));
        let cut = watch::Sender::new(0);
        let (shared, cuts) = ((mode.clone(), target.clone()), cut.subscribe());
        tokio::spawn(async move {
            let (mode, target) = shared;
            while let Ok((client, _)) = listener.accept().await {
                let (mode, target) = (mode.load(Ordering::Relaxed), target.load(Ordering::Relaxed));
                let mut cuts = cuts.clone();
                cuts.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        // Dropping both ends is the cut.
                        _ = cuts.changed() => {}
                        () = pass(client, mode, target) => {}
                    }
                });
            }
        });
        Self { port, mode, target, cut }
    }

    /// Changes what becomes of connections, of those that are open too.
    pub(crate) fn set(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::Relaxed);
        self.cut();
    }

    /// Cuts all connections; new ones are passed on as before.
    pub(crate) fn cut(&self) {
        self.cut.send_modify(|count| *count += 1);
    }

    /// Points it at another port.
    pub(crate) fn point(&self, target: u16) {
        self.target.store(target, Ordering::Relaxed);
        self.cut();
    }
}

async fn pass(mut client: TcpStream, mode: u8, target: u16) {
    match mode {
        0 => {
            if let Ok(mut server) = TcpStream::connect(("127.0.0.1", target)).await {
                let _ = copy_bidirectional(&mut client, &mut server).await;
            }
        }
        2 => {
            let mut request = [0; 4_096];
            let _ = client.read(&mut request).await;
            let _ = client
                .write_all(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .await;
        }
        3 => tokio::time::sleep(std::time::Duration::from_secs(3_600)).await,
        _ => {}
    }
}
