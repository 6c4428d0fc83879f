//! The cluster that a command examines: which one it is, and reads with an end in time.

mod args;
mod reader;
mod unread;

pub(crate) use args::ClusterArgs;
pub(crate) use reader::Reader;
pub(crate) use unread::{Target, Unread};
