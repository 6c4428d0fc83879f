//! The cluster that a command examines: which one it is, and reads with an end in time.

#![allow(dead_code, unused_imports, reason = "used by the commands that follow")]

mod args;
mod reader;
mod unread;

pub(crate) use args::ClusterArgs;
pub(crate) use reader::Reader;
pub(crate) use unread::{Target, Unread};
