//! Associations, patterns and guard-rails as objects, on a real API server: what the webhook injects, what the agent serves,
//! and how soon a change takes effect.

mod health;
mod imported;
mod injected;
mod missed;
mod orders;
mod revoked;
mod served;
mod stage;
mod statuses;
mod trust_policy;
mod without_crds;
