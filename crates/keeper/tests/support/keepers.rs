//! Keepers as processes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use solana_keypair::{Keypair, write_keypair_file};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

/// A keeper's folder: key, configuration, ledger, log.
pub(crate) struct Keeper {
    pub(crate) folder: PathBuf,
    pub(crate) key: Keypair,
    child: Option<Child>,
}

impl Keeper {
    /// A keeper that is not running yet; `config` is the rest of its file.
    pub(crate) fn new(folder: &Path, name: &str, config: &str) -> Self {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let key = Keypair::new();
        write_keypair_file(&key, folder.join("key.json")).unwrap();
        let mut keeper = Self { folder, key, child: None };
        keeper.configure(config);
        keeper
    }

    /// Writes its configuration.
    pub(crate) fn configure(&mut self, config: &str) {
        std::fs::write(self.folder.join("keeper.toml"), config).unwrap();
    }

    pub(crate) fn address(&self) -> Pubkey {
        self.key.pubkey()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ballast-keeper"));
        // Keys of the file over nothing from outside.
        command.env_remove("BALLAST_KEEPER_CONFIG").env_remove("RUST_LOG");
        command
    }

    /// Runs a command of its own to the end.
    pub(crate) fn call(&self, command: &str, args: &[&str], log: &str) -> Output {
        let config = self.folder.join("keeper.toml");
        self.command().env("RUST_LOG", log).arg(command).arg("--config").arg(config).args(args).output().unwrap()
    }

    /// Starts it, to keep until it is stopped.
    pub(crate) fn start(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let log = std::fs::File::options().create(true).append(true).open(self.log()).unwrap();
        let child = self
            .command()
            .args(["run", "--json-logs", "--config"])
            .arg(self.folder.join("keeper.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("log.jsonl")
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.folder.join("keeper.sqlite")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks it to end, and waits: it must end by itself, in good order.
    pub(crate) async fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(asked.success());
        for _ in 0..150 {
            if let Some(status) = child.try_wait().unwrap() {
                let log = std::fs::read_to_string(self.log()).unwrap_or_default();
                let last: Vec<_> = log.lines().rev().take(30).collect();
                assert!(status.success(), "{status}; its log, the last line first:\n{}", last.join("\n"));
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let _ = child.kill();
        panic!("a keeper that was asked to end did not");
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
