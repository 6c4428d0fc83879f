//! The links of the chain between a pod and AWS, each a pure function of what was read.

pub(crate) mod agent;
pub(crate) mod expected;
pub(crate) mod injected;
pub(crate) mod name;
pub(crate) mod namespace;
pub(crate) mod network;
pub(crate) mod other;
pub(crate) mod pod;
pub(crate) mod role;
pub(crate) mod stores;
pub(crate) mod token;
pub(crate) mod unnamed;
pub(crate) mod webhook;
