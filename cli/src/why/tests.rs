//! The corpus of mistakes: each is a change of a healthy cluster, in a file of `fixtures/`.

mod cluster;
mod corpus;
mod outputs;
mod trust;
