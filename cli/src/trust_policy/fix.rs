//! The commands that fix a trust policy.

use podrole_identity::{Exchange, ServiceAccountRef};

use super::question::{AskingCaller, SourcePrincipal, TrustQuestion};

/// The file between the two commands.
const FILE: &str = "trust.json";

/// The commands for one role.
#[derive(Clone, Debug)]
pub(crate) struct FixCommands {
    into: String,
    /// Whether the cluster and AWS are asked for what flags would say.
    is_live: bool,
    /// Whether the issuer is not that of the cluster.
    names_issuer: bool,
}

impl FixCommands {
    /// For a policy in a file.
    pub(crate) fn offline(file: &str) -> Self {
        Self { into: file.to_owned(), is_live: false, names_issuer: true }
    }

    /// For the policy that AWS has.
    pub(crate) fn live(role: &str) -> Self {
        Self { into: role.to_owned(), is_live: true, names_issuer: false }
    }

    /// The same commands for this issuer, whatever the cluster's is.
    pub(crate) fn naming_issuer(self) -> Self {
        Self { names_issuer: true, ..self }
    }

    /// The commands in order.
    pub(super) fn lines(&self, question: &TrustQuestion) -> [String; 2] {
        let mut words = vec!["podrole".to_owned(), "trust-policy".to_owned()];
        words.push(question.service_account.to_string());
        self.flags(question, &mut words);
        words.extend(["--into".to_owned(), self.into.clone()]);
        if self.is_live {
            words.push("--aws".to_owned());
        }
        let name = question.role.name();
        [
            format!("{} > {FILE}", quoted(&words)),
            format!(
                "aws iam update-assume-role-policy --role-name {name} --policy-document file://{FILE}"
            ),
        ]
    }

    fn flags(&self, question: &TrustQuestion, words: &mut Vec<String>) {
        let mut flag = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
        let exchange = |exchange: Exchange| exchange.to_string();
        if !self.is_live {
            flag("--role", question.role.as_str());
        }
        match &question.caller {
            AskingCaller::WebIdentity { issuer, audiences } if self.names_issuer => {
                flag("--issuer", issuer);
                let default = Exchange::WebIdentity.audience();
                for audience in audiences.iter().filter(|it| *it != default.as_str()) {
                    flag("--audience", audience);
                }
            }
            AskingCaller::WebIdentity { .. } => {}
            AskingCaller::Agent(principal) => {
                flag("--exchange", &exchange(Exchange::AssumeRole));
                let arn = principal.as_ref().map_or("ARN", SourcePrincipal::as_str);
                flag("--principal", arn);
            }
            AskingCaller::EksAuth(_) => flag("--exchange", &exchange(Exchange::EksAuth)),
            AskingCaller::RoleBefore { role, external_id } => {
                flag("--exchange", &exchange(Exchange::AssumeRole));
                flag("--principal", role.as_str());
                external_id.iter().for_each(|id| flag("--external-id", id));
            }
        }
        let is_web_identity = matches!(question.caller, AskingCaller::WebIdentity { .. });
        if !question.has_tags && !is_web_identity {
            words.push("--no-session-tags".to_owned());
        }
    }
}

fn quoted(words: &[String]) -> String {
    let words = words.iter().map(|it| shlex::try_quote(it).unwrap_or_default());
    words.collect::<Vec<_>>().join(" ")
}

/// The subject of a token as people write ServiceAccounts in policies: `shop:app`.
pub(super) fn colon_name(service_account: &ServiceAccountRef) -> String {
    format!("{}:{}", service_account.namespace(), service_account.name())
}
