//! A node made of a closure: answers each JSON-RPC request as it is told, or does not answer.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How a request is answered.
pub(crate) enum Say {
    /// With this result.
    Result(Value),
    /// With this error code and message.
    Error(i64, &'static str),
    /// There were too many requests.
    Limited,
    /// The connection is closed without a word.
    Nothing,
}

type Script = Box<dyn FnMut(&str, &Value) -> Say + Send>;

/// A node on loopback.
pub(crate) struct Fake {
    pub(crate) url: String,
    /// Methods asked for, in order.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// A node that answers by a script.
    pub(crate) async fn new(script: impl FnMut(&str, &Value) -> Say + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, script.clone(), log.clone()));
            }
        });
        Self { url, asked }
    }

    /// How often a method was asked for.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == method).count()
    }
}

/// A result with a slot around it.
pub(crate) fn at(slot: u64, value: Value) -> Say {
    Say::Result(json!({ "context": { "slot": slot }, "value": value }))
}

async fn answer(mut stream: TcpStream, script: Arc<Mutex<Script>>, asked: Arc<Mutex<Vec<String>>>) {
    let mut buffer = Vec::new();
    loop {
        let Some(body) = request(&mut stream, &mut buffer).await else { return };
        let request: Value = serde_json::from_slice(&body).unwrap();
        let method = request["method"].as_str().unwrap_or_default().to_owned();
        asked.lock().unwrap().push(method.clone());
        let said = (script.lock().unwrap())(&method, &request["params"]);
        let (status, body) = match said {
            Say::Result(result) => ("200 OK", json!({ "jsonrpc": "2.0", "id": request["id"], "result": result })),
            Say::Error(code, message) => {
                let error = json!({ "code": code, "message": message });
                ("200 OK", json!({ "jsonrpc": "2.0", "id": request["id"], "error": error }))
            }
            Say::Limited => ("429 Too Many Requests", Value::Null),
            Say::Nothing => return,
        };
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nRetry-After: 0\r\n\r\n",
            body.len()
        );
        if stream.write_all((head + &body).as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The body of the next request on a connection.
async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    loop {
        if let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |text| text.trim().parse().unwrap_or(0));
            if buffer.len() >= end + 4 + length {
                let body = buffer[end + 4..end + 4 + length].to_vec();
                buffer.drain(..end + 4 + length);
                return Some(body);
            }
        }
        let mut part = [0; 4_096];
        let read = stream.read(&mut part).await.ok()?;
        if read == 0 {
            return None;
        }
        buffer.extend_from_slice(&part[..read]);
    }
}
