//! What the tests of the whole share: a real Kubernetes API server, the vendors' SDKs, and the
//! project's own files.
//!
//! ```text
//!   cluster ─► etcd + kube-apiserver on loopback, one pair for all tests of a binary
//!      │           each under a guardian (process): it ends with the test binary, however that ends
//!   namespace ─► one for each test: ServiceAccounts, pods, tokens bound to them
//!   registration ─► a MutatingWebhookConfiguration from a file, for that namespace alone
//!   http ─► an answer as it came        wait ─► for what is to come
//!   python ─► boto3 and the AWS CLI        project ─► the repository's files, the built binary
//! ```
#![forbid(unsafe_code)]

pub mod cluster;
pub mod http;
pub mod namespace;
pub mod process;
pub mod project;
pub mod python;
pub mod registration;
pub mod trust;
pub mod wait;
