//! Whether a trust policy lets a ServiceAccount's pods have the role, and which mistake prevents it. Pure.
//!
//! ```text
//!   policy ──┐                                   ┌─► allowed by which statement
//!            ├─► the sandbox's evaluator ─► misses ─► diagnosis: one finding for each mistake
//!   question ┘                                   └─► unknown: keys that it cannot evaluate
//! ```

mod closest;
mod condition;
mod principal;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use podrole_sandbox::{
    policy::{ComparedCondition, Denial, Effect, MissedPart, Policy, PrincipalMatch, Verdict},
    trust::{TrustAnswer, accepts_any_trust_anchor, ask},
};

use super::{
    fix::{FixCommands, colon_name},
    question::{AskingCaller, TrustQuestion},
};
use crate::report::{Code, Finding, State};

/// The part of a pod's way that this is.
const LINK: &str = "AWS";
/// Findings of one policy that are printed.
const MOST: usize = 20;

/// Where a policy is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PolicySource<'a> {
    /// A file, by its name.
    File(&'a str),
    /// AWS, which stores only valid policies.
    Aws,
}

/// Examines a policy. The first finding is the verdict: an error, `unknown` or `ok`.
pub(crate) fn judge(
    text: &str,
    source: PolicySource<'_>,
    question: &TrustQuestion,
    fix: &FixCommands,
    now: Timestamp,
) -> Vec<Finding> {
    let found = match Policy::read(text) {
        Ok(policy) => Judge { policy, question, fix }.findings(now),
        Err(error) => vec![unreadable(source, &error.to_string(), question)],
    };
    let object = format!("Role {}", question.role);
    let found = found.into_iter().take(MOST);
    found.map(|it| Finding { link: Some(LINK), ..it.object(object.clone()) }).collect()
}

fn unreadable(source: PolicySource<'_>, error: &str, question: &TrustQuestion) -> Finding {
    match source {
        PolicySource::File(name) => Finding::new(State::Error, format!("{name}: {error}")),
        PolicySource::Aws => {
            let name = question.role.name();
            Finding::unknown(format!(
                "the trust policy of {name} cannot be evaluated here: {error}"
            ))
        }
    }
}

struct Judge<'a> {
    policy: Policy,
    question: &'a TrustQuestion,
    fix: &'a FixCommands,
}

impl Judge<'_> {
    fn findings(&self, now: Timestamp) -> Vec<Finding> {
        let question = self.question;
        if let Some(finding) = self.other_partition() {
            return vec![finding];
        }
        let subject = question.service_account.subject();
        let tags = question.tags();
        let Some(call) = question.call(&subject, &tags) else {
            return vec![principal::without_source(&self.policy, question, self.fix, now)];
        };
        let answers = match ask(&self.policy, &call, now) {
            Ok(answers) => answers,
            Err(error) => return vec![Finding::unknown(error.to_string())],
        };
        let mut found: Vec<Finding> = Vec::new();
        for answer in &answers {
            // What the call's own action misses is missed by the others too, and said once.
            let is_first = found.is_empty();
            for finding in self.answer(answer, is_first) {
                let is_same = |one: &Finding| match finding.code {
                    Some(code) => one.code == Some(code),
                    None => one.message == finding.message,
                };
                if !found.iter().any(is_same) {
                    found.push(finding);
                }
            }
        }
        if found.is_empty() {
            found.extend(self.allowed(&answers));
        }
        found.extend(self.any_trust_anchor());
        found
    }

    fn allowed(&self, answers: &[TrustAnswer]) -> Option<Finding> {
        let Verdict::Allowed { statement, named } = &answers.first()?.verdict else { return None };
        let name = match self.question.caller {
            AskingCaller::WebIdentity { .. } => self.question.service_account.subject(),
            _ => self.question.required().principal.to_string(),
        };
        let finding = Finding::ok(format!("trust policy {statement} allows {name}"));
        Some(match self.question.caller_arn() {
            // Its own policies decide too if only its AWS account is trusted, and across AWS accounts.
            Some(arn) if *named == PrincipalMatch::Account || !self.is_own_account(arn) => {
                let resource = &self.question.role;
                finding.after(format!(
                    "the policies of {arn} must allow it on {resource} too; they are not evaluated"
                ))
            }
            _ => finding,
        })
    }

    fn is_own_account(&self, arn: &str) -> bool {
        arn.split(':').nth(4) == Some(self.question.role.account())
    }

    /// What is wrong with one action; nothing if it is certainly allowed.
    fn answer(&self, answer: &TrustAnswer, is_first: bool) -> Vec<Finding> {
        let TrustAnswer { verdict, undecided, .. } = answer;
        let role = self.question.role.name();
        let depends = |effect: Effect, statement: Option<&String>| {
            let mut open = undecided.iter().filter(|one| one.effect == effect);
            open.find(|one| statement.is_none_or(|it| *it == one.statement))
        };
        let open = match verdict {
            Verdict::Allowed { statement, .. } => {
                depends(Effect::Deny, None).or_else(|| depends(Effect::Allow, Some(statement)))
            }
            Verdict::Denied(Denial::Explicit { statement, .. }) => {
                depends(Effect::Deny, Some(statement))
            }
            Verdict::Denied(Denial::NoneAllows(_)) => depends(Effect::Allow, None),
        };
        if let Some(open) = open {
            let keys = open.keys.join(", ");
            return vec![Finding::unknown(format!(
                "{} of the trust policy of {role} depends on {keys}, which cannot be evaluated here",
                open.statement
            ))];
        }
        match verdict {
            Verdict::Allowed { .. } => Vec::new(),
            Verdict::Denied(Denial::Explicit { statement, conditions, .. }) => {
                vec![self.denied(statement, conditions)]
            }
            Verdict::Denied(Denial::NoneAllows(misses)) => match closest::closest(misses) {
                Some(miss) => {
                    let is_new = |part: &&MissedPart| is_first || matches!(part, MissedPart::Action { .. });
                    let parts = miss.parts().filter(is_new);
                    parts.map(|part| self.missed(&miss.statement, part)).collect()
                }
                None => vec![Finding::new(
                    State::Error,
                    format!("the trust policy of {role} allows nothing: it has no statement that allows"),
                )
                .should_be(self.required())],
            },
        }
    }

    /// A Deny cannot be outdone by another statement.
    fn denied(&self, statement: &str, conditions: &[ComparedCondition]) -> Finding {
        let role = self.question.role.name();
        let naming = conditions.iter().find_map(|it| condition::names_another(it, self.question));
        let all = conditions.iter().map(condition::written).collect::<Vec<_>>().join(", ");
        let is = if all.is_empty() {
            format!("{statement}: Deny")
        } else {
            format!("{statement}: Deny if {all}")
        };
        let message = format!("{statement} of the trust policy of {role} denies it explicitly");
        let finding = match naming {
            Some(name) => Finding::error(
                Code(20),
                format!(
                    "the trust policy of {role} denies all but {name}, and this is {}",
                    colon_name(&self.question.service_account)
                ),
            ),
            None => Finding::new(State::Error, message),
        };
        finding.is(is).fix(format!("remove {statement} from the trust policy of {role}, or narrow it; it wins over each Allow"))
    }

    fn missed(&self, statement: &str, part: &MissedPart) -> Finding {
        let finding = match part {
            MissedPart::Principal { named, near_miss, .. } => {
                principal::other(statement, named, near_miss.as_ref(), self.question)
            }
            MissedPart::Condition(it) => condition::missed(statement, it, self.question),
            MissedPart::Action { requested } | MissedPart::Resource { requested } => {
                let role = self.question.role.name();
                let message = format!("the trust policy of {role} does not allow {requested}");
                // Only the tags and the identity of a session have a code of their own.
                let finding = match requested.contains("AssumeRole") {
                    true => Finding::new(State::Error, message),
                    false => Finding::error(Code(28), message),
                };
                finding
                    .is(format!("{statement} does not list {requested}"))
                    .should_be(format!("Action {}", self.question.required().actions.join(", ")))
            }
        };
        self.with_fix(finding)
    }

    fn with_fix(&self, finding: Finding) -> Finding {
        let [print, apply] = self.fix.lines(self.question);
        finding
            .fix(print)
            .fix(apply)
            .after("no restart is needed; SDKs get credentials at their next try")
    }

    fn required(&self) -> String {
        let required = self.question.required();
        format!(
            "{} for {}{}",
            required.actions_text(),
            required.principal,
            required.conditions_text(" and ")
        )
    }

    fn other_partition(&self) -> Option<Finding> {
        let asked = self.question.partition?.as_str();
        let role = &self.question.role;
        (asked != role.partition()).then(|| {
            let message =
                format!("role {role} is of partition {}, the agent asks {asked}", role.partition());
            Finding::error(Code(35), message)
                .is(format!("partition {}", role.partition()))
                .should_be(format!("partition {asked}"))
                .fix(format!(
                    "name a role of partition {asked}, or run the agent in a region of {}",
                    role.partition()
                ))
        })
    }

    fn any_trust_anchor(&self) -> Option<Finding> {
        let role = &self.question.role;
        accepts_any_trust_anchor(&self.policy, role).then(|| {
            let name = role.name();
            let message = format!("any trust anchor of the AWS account can use {name}; add aws:SourceArn");
            let (partition, account) = (role.partition(), role.account());
            Finding::warning(Code(29), message)
                .should_be(format!("aws:SourceArn = \"arn:{partition}:rolesanywhere:REGION:{account}:trust-anchor/ID\""))
                .fix(format!("add a condition on aws:SourceArn to the statement for rolesanywhere.amazonaws.com in {name}"))
        })
    }
}
