//! What happens on the chain, as it happens: one websocket with slots, the program's accounts and the oracles'.
//!
//! A socket that breaks, or says nothing for a while although slots pass every 400 ms, is dropped and another one opened,
//! at the next node. What happened in between is not lost: whoever listens reads everything once more after `Up`.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use ballast_client::address;
use ballast_client::rpc::{AccountData, FEED_ID_OFFSET, Filter, Keyed};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::Message;

/// Before another socket is tried, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// A socket has so long to open, and each subscription to be confirmed.
const OPENING: Duration = Duration::from_secs(5);

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// The socket is up and everything is subscribed to.
    Up,
    /// The socket is lost.
    Down,
    /// A slot.
    Slot(u64),
    /// An account as it was in a slot.
    Account {
        /// The slot.
        slot: u64,
        /// Its address.
        key: Pubkey,
        /// The account.
        data: AccountData,
    },
}

/// An oracle program and a feed to hear of.
pub type Feed = (Pubkey, [u8; 32]);

/// What to listen to.
pub struct Listening {
    /// Websockets, tried in turn.
    pub urls: Vec<String>,
    /// A socket silent for so long is dropped.
    pub silence: Duration,
    /// The feeds; a change makes for a new socket.
    pub feeds: watch::Receiver<Vec<Feed>>,
    /// Where events go.
    pub events: mpsc::Sender<Event>,
}

#[derive(Deserialize)]
struct Incoming {
    method: Option<String>,
    params: Option<Params>,
    id: Option<u64>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Params {
    result: Value,
}

#[derive(Deserialize)]
struct SlotInfo {
    slot: u64,
}

#[derive(Deserialize)]
struct Notified {
    context: SlotInfo,
    value: Keyed,
}

/// Listens until nobody wants to hear of it any more.
pub async fn listen(mut listening: Listening) {
    let mut pause = PAUSE.0;
    for turn in 0.. {
        let url = listening.urls[turn % listening.urls.len()].clone();
        let mut up = false;
        let ended = one(&url, &mut listening, &mut up).await;
        if listening.events.is_closed() {
            return;
        }
        if up {
            pause = PAUSE.0;
            if listening.events.send(Event::Down).await.is_err() {
                return;
            }
        }
        match ended {
            // The feeds have changed.
            Ok(()) => continue,
            Err(error) => tracing::warn!(url, error = format!("{error:#}"), "the websocket is lost"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE.1);
    }
}

/// One socket, until it is lost or the feeds change.
async fn one(url: &str, listening: &mut Listening, up: &mut bool) -> Result<()> {
    let opening = tokio::time::timeout(OPENING, tokio_tungstenite::connect_async(url)).await;
    let (socket, _) = opening.context("it does not open")?.context("it does not open")?;
    let (mut write, mut read) = socket.split();
    let feeds = listening.feeds.borrow_and_update().clone();
    let requests = subscriptions(&feeds);
    let mut waiting = requests.len();
    for (id, (method, params)) in (1_u64..).zip(requests) {
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string();
        write.send(Message::text(request)).await?;
    }
    loop {
        let next = tokio::select! {
            next = tokio::time::timeout(listening.silence, read.next()) => next,
            changed = listening.feeds.changed() => match changed {
                Ok(()) => return Ok(()),
                Err(_) => bail!("nobody listens any more"),
            },
        };
        let message = match next {
            Err(_) => bail!("nothing was heard for {:?}", listening.silence),
            Ok(None) => bail!("it was closed"),
            Ok(Some(message)) => message?,
        };
        let text = match &message {
            Message::Text(text) => text.as_str(),
            Message::Ping(body) => {
                write.send(Message::Pong(body.clone())).await?;
                continue;
            }
            Message::Close(_) => bail!("it was closed"),
            _ => continue,
        };
        let incoming: Incoming = serde_json::from_str(text).context("what came is no JSON-RPC")?;
        if let Some(error) = incoming.error {
            bail!("a subscription was refused: {error}");
        }
        if incoming.id.is_some() && waiting > 0 {
            waiting -= 1;
            if waiting == 0 {
                *up = true;
                send(listening, Event::Up).await?;
            }
        }
        let (Some(method), Some(params)) = (incoming.method, incoming.params) else { continue };
        let event = match method.as_str() {
            "slotNotification" => Event::Slot(serde_json::from_value::<SlotInfo>(params.result)?.slot),
            "programNotification" => {
                let Notified { context, value } = serde_json::from_value(params.result)?;
                let (key, data) = value.decode()?;
                Event::Account { slot: context.slot, key, data }
            }
            _ => continue,
        };
        send(listening, event).await?;
    }
}

async fn send(listening: &Listening, event: Event) -> Result<()> {
    listening.events.send(event).await.ok().context("nobody listens any more")
}

fn subscriptions(feeds: &[Feed]) -> Vec<(&'static str, Value)> {
    let of = |program: &Pubkey, filters: Vec<Value>| {
        let mut config = json!({ "encoding": "base64", "commitment": "confirmed" });
        if !filters.is_empty() {
            config["filters"] = Value::Array(filters);
        }
        ("programSubscribe", json!([program.to_string(), config]))
    };
    let mut all = vec![("slotSubscribe", json!([])), of(&address::PROGRAM, Vec::new())];
    for (program, feed) in feeds {
        let filter = Filter { offset: FEED_ID_OFFSET, bytes: feed.to_vec() };
        all.push(of(program, vec![filter.json()]));
    }
    all
}
