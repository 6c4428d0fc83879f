//! A file with a policy.

use std::{
    fs::File,
    io::{Read as _, stdin},
};

use anyhow::Context as _;

/// Bytes that are read. IAM's largest trust policy has 4,096 characters.
const MOST: u64 = 1024 * 1024;

/// A policy's text and the name of its file in messages.
#[derive(Debug)]
pub(crate) struct PolicyFile {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// The name of standard input in messages.
const STDIN: &str = "<stdin>";

impl PolicyFile {
    /// How a command names it.
    pub(crate) fn argument(&self) -> &str {
        if self.name == STDIN { "-" } else { &self.name }
    }

    /// Reads a file, or standard input for `-`.
    ///
    /// # Errors
    /// If it cannot be read, is no text or has more than 1 MiB.
    pub(crate) fn read(name: &str) -> anyhow::Result<Self> {
        let mut text = String::new();
        let (name, read) = if name == "-" {
            (STDIN, stdin().lock().take(MOST + 1).read_to_string(&mut text))
        } else {
            let file = File::open(name).with_context(|| format!("could not open {name}"))?;
            (name, file.take(MOST + 1).read_to_string(&mut text))
        };
        read.with_context(|| format!("could not read {name}"))?;
        anyhow::ensure!(text.len() as u64 <= MOST, "{name} has more than {MOST} bytes");
        Ok(Self { name: name.to_owned(), text })
    }
}
