//! Where to connect and who signs, as Solana's own tools find them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use solana_keypair::{Keypair, read_keypair_file};

use crate::args::Global;

/// Where a local validator listens.
pub(crate) const LOCALHOST: &str = "http://127.0.0.1:8899";

/// What the Solana config file says; both are optional in it.
#[derive(Debug, Default, PartialEq)]
struct SolanaConfig {
    url: Option<String>,
    keypair: Option<PathBuf>,
}

/// The JSON-RPC address.
pub(crate) fn url(global: &Global) -> Result<String> {
    let given = match &global.url {
        Some(url) => Some(url.clone()),
        None => solana_config(global)?.url,
    };
    resolve(given.as_deref().unwrap_or(LOCALHOST))
}

fn resolve(given: &str) -> Result<String> {
    match given {
        "l" | "localhost" => Ok(LOCALHOST.to_owned()),
        _ if given.starts_with("http://") || given.starts_with("https://") => Ok(given.to_owned()),
        _ => bail!(
            "{given:?} is neither an address nor `localhost`; Ballast runs on no public cluster yet: give a \
             validator's full address with --url, or start one with `ballast localnet`"
        ),
    }
}

/// The key that signs and pays.
pub(crate) fn keypair(global: &Global) -> Result<Keypair> {
    let path = match &global.keypair {
        Some(path) => path.clone(),
        None => match solana_config(global)?.keypair {
            Some(path) => path,
            None => home()?.join(".config/solana/id.json"),
        },
    };
    read_keypair_file(&path).map_err(|error| {
        anyhow::anyhow!(
            "no key in {}: {error}; give one with --keypair, or make one with `solana-keygen new`, or take a local \
             test key: `ballast faucet --new-wallet FILE`",
            path.display()
        )
    })
}

fn home() -> Result<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).context("HOME is not set; give --keypair and --url")
}

fn solana_config(global: &Global) -> Result<SolanaConfig> {
    let path = match &global.config {
        Some(path) => path.clone(),
        None => match home() {
            Ok(home) => home.join(".config/solana/cli/config.yml"),
            Err(_) => return Ok(SolanaConfig::default()),
        },
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(parse(&text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && global.config.is_none() => {
            Ok(SolanaConfig::default())
        }
        Err(error) => Err(error).with_context(|| unreadable(&path)),
    }
}

fn unreadable(path: &Path) -> String {
    format!("{} cannot be read; check --config", path.display())
}

/// Two keys at the top level are all that is needed of the file: no need for a YAML reader.
fn parse(text: &str) -> SolanaConfig {
    let mut config = SolanaConfig::default();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim().trim_matches(['"', '\'']);
        match key {
            "json_rpc_url" if !value.is_empty() => config.url = Some(value.to_owned()),
            "keypair_path" if !value.is_empty() => config.keypair = Some(value.into()),
            _ => {}
        }
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_solana_config_file_is_understood() {
        let text = "---\njson_rpc_url: http://127.0.0.1:8899\nwebsocket_url: ''\nkeypair_path: /home/me/id.json\n\
                    address_labels:\n  \"11111111111111111111111111111111\": System Program\ncommitment: confirmed\n";
        let config = parse(text);
        assert_eq!(config.url.as_deref(), Some("http://127.0.0.1:8899"));
        assert_eq!(config.keypair.as_deref(), Some(Path::new("/home/me/id.json")));
        assert_eq!(parse("json_rpc_url: ''"), SolanaConfig::default());
    }

    #[test]
    fn only_local_monikers_are_known() {
        assert_eq!(resolve("l").unwrap(), LOCALHOST);
        assert_eq!(resolve("localhost").unwrap(), LOCALHOST);
        assert_eq!(resolve("http://10.0.0.1:8899").unwrap(), "http://10.0.0.1:8899");
        assert!(resolve("mainnet-beta").is_err());
    }
}
