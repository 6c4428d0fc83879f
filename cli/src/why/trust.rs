//! What the roles' trust policies say about the pods of a case: from a file, or from AWS.

use podrole_identity::{
    CredentialProvider, Exchange, Grant, RoleStep, ServiceAccountRef, SessionTags,
};
use podrole_runtime::clock;

use super::{args::AwsArgs, aws::AwsFindings, case::Case};
use crate::{
    aws_iam::Iam,
    cluster::{Reader, Unread},
    report::Finding,
    settings::ClusterSettings,
    trust_policy::{
        AskingCaller, FixCommands, PolicyFile, PolicySource, SourcePrincipal, TrustQuestion,
        examine, issuer_of, judge,
    },
};

/// What is asked about trust policies.
pub(super) struct Trust {
    policies: Policies,
    /// The issuer of the cluster's tokens, or why it is not known.
    issuer: Result<String, String>,
    /// The agent's source credentials.
    principal: Option<SourcePrincipal>,
}

enum Policies {
    /// The first role's.
    File(PolicyFile),
    Aws(Box<Iam>),
}

impl Trust {
    /// This policy, for tokens of this issuer.
    #[cfg(test)]
    pub(super) fn of_policy(text: &str, issuer: Result<&str, &str>) -> Self {
        let file = PolicyFile { name: "trust.json".to_owned(), text: text.to_owned() };
        let issuer = issuer.map(str::to_owned).map_err(str::to_owned);
        Self { policies: Policies::File(file), issuer, principal: None }
    }

    /// Reads what the flags ask for; `None` if they ask for nothing.
    ///
    /// # Errors
    /// If the file or AWS's configuration cannot be used.
    pub(super) async fn read(
        args: &AwsArgs,
        reader: Option<&Reader>,
        settings: &ClusterSettings,
    ) -> anyhow::Result<Option<Self>> {
        let policies = match (&args.trust, args.aws) {
            (Some(file), _) => Policies::File(PolicyFile::read(file)?),
            (None, true) => Policies::Aws(Box::new(Iam::from_environment().await?)),
            (None, false) => return Ok(None),
        };
        // Tokens of an issuer that the agents were given come from there.
        let issuer = match (settings.issuers.first(), reader) {
            (Some(issuer), _) => Ok(issuer.clone()),
            (None, Some(reader)) => issuer_of(reader).await.map_err(|it: Unread| it.to_string()),
            (None, None) => Err("the issuer of the cluster is not known; give --issuer".to_owned()),
        };
        Ok(Some(Self { policies, issuer, principal: args.principal.clone() }))
    }

    /// The findings of link 11.
    pub(super) async fn findings(&self, case: &Case<'_>) -> AwsFindings {
        let trust = match questions(case, self.issuer.as_deref(), self.principal.as_ref()) {
            Ok(questions) => self.answers(&questions).await,
            Err(finding) => vec![*finding],
        };
        AwsFindings { trust: Some(trust), issuer: None }
    }

    async fn answers(&self, questions: &[TrustQuestion]) -> Vec<Finding> {
        let mut found = Vec::new();
        for question in questions {
            match &self.policies {
                Policies::File(file) => {
                    let fix = FixCommands::offline(file.argument());
                    let source = PolicySource::File(&file.name);
                    return judge(&file.text, source, question, &fix, clock::now());
                }
                Policies::Aws(iam) => {
                    let fix = FixCommands::live(question.role.as_str());
                    found.extend(examine(iam, question, &fix, clock::now()).await);
                }
            }
        }
        found
    }
}

/// One question for each role of the chain, in order.
fn questions(
    case: &Case<'_>,
    issuer: Result<&str, &String>,
    principal: Option<&SourcePrincipal>,
) -> Result<Vec<TrustQuestion>, Box<Finding>> {
    let skipped = |reason: &str| Box::new(Finding::skipped(reason));
    let decided = case.decided.as_ref().map_err(|_| skipped("the role is not known"))?;
    let grant = match &decided.binding.grant {
        Ok(Some(grant)) => grant,
        Ok(None) | Err(_) => return Err(skipped("the pod gets no role")),
    };
    let settings = &case.settings.webhook;
    let exchange = match grant.provider {
        CredentialProvider::WebIdentity => Exchange::WebIdentity,
        CredentialProvider::Container => settings.rules.exchange,
    };
    let audience =
        settings.audience_of(grant.provider, decided.binding.annotations.audience.as_ref());
    let caller = match exchange {
        Exchange::WebIdentity => AskingCaller::WebIdentity {
            issuer: issuer.map_err(|error| Box::new(Finding::unknown(error.as_str())))?.to_owned(),
            audiences: vec![audience.to_string()],
        },
        Exchange::AssumeRole => AskingCaller::Agent(principal.cloned()),
        Exchange::EksAuth => AskingCaller::EksAuth(None),
    };
    let questions = chain(grant, &decided.binding.service_account, &caller, exchange);
    if questions.is_empty() {
        return Err(skipped("EKS chooses the role"));
    }
    let partition = settings.rules.partition;
    Ok(questions.into_iter().map(|it| TrustQuestion { partition, ..it }).collect())
}

fn chain(
    grant: &Grant,
    service_account: &ServiceAccountRef,
    caller: &AskingCaller,
    exchange: Exchange,
) -> Vec<TrustQuestion> {
    let has_tags = exchange != Exchange::WebIdentity && grant.session_tags != SessionTags::Off;
    let (mut questions, mut before): (Vec<TrustQuestion>, Option<&RoleStep>) = (Vec::new(), None);
    for step in &grant.steps {
        let caller = match before {
            None => caller.clone(),
            Some(before) => AskingCaller::RoleBefore {
                role: before.role.clone(),
                external_id: step.external_id.clone(),
            },
        };
        questions.push(TrustQuestion {
            service_account: service_account.clone(),
            role: step.role.clone(),
            caller,
            has_tags,
            partition: None,
            duration_seconds: step.duration_seconds,
        });
        before = Some(step);
    }
    questions
}
