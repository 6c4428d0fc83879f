//! What was to be read, and why it could not be.

use std::fmt;

/// What a request is for, as RBAC names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// `get` or `list`.
    pub(crate) verb: &'static str,
    /// The plural name, with the API group if it has one: `deployments.apps`.
    pub(crate) resource: String,
    /// `None` for all namespaces, and for kinds without one.
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
}

/// Why something is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// The caller lacks a right.
    Forbidden(Target),
    /// No answer within the time.
    TooSlow(Target),
    /// The API server has nothing of this kind, as without a CRD.
    NotFound(Target, String),
    /// Anything else, in one line.
    Failed(Target, String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if let Some(name) = &self.name {
            write!(f, " {name}")?;
        }
        self.namespace.iter().try_for_each(|namespace| write!(f, " in {namespace}"))
    }
}

impl Target {
    /// A path that is not an object's, such as `/version`.
    pub(crate) fn of_path(path: &str) -> Self {
        Self { verb: "get", resource: path.to_owned(), namespace: None, name: None }
    }

    /// The question that kubectl answers about the right to it.
    fn question(&self) -> String {
        let (verb, resource) = (self.verb, &self.resource);
        let name = self.name.as_ref().map_or_else(String::new, |name| format!("/{name}"));
        let place = self.namespace.as_ref().map_or_else(String::new, |it| format!(" -n {it}"));
        format!("kubectl auth can-i {verb} {resource}{name}{place}")
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden(target) => {
                let question = target.question();
                write!(f, "cannot {target}: {question} says no; ask for ClusterRole podrole-reader")
            }
            Self::TooSlow(target) => {
                write!(f, "cannot {target}: the API server did not answer in time")
            }
            Self::NotFound(target, error) | Self::Failed(target, error) => {
                write!(f, "cannot {target}: {error}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_right_is_named_with_the_question_that_checks_it() {
        let target = Target {
            verb: "list",
            resource: "events".to_owned(),
            namespace: Some("shop".to_owned()),
            name: None,
        };
        let expected = "cannot list events in shop: kubectl auth can-i list events -n shop says no; ask for \
                        ClusterRole podrole-reader";
        assert_eq!(Unread::Forbidden(target.clone()).to_string(), expected);
        let named = Target { verb: "get", name: Some("app".to_owned()), ..target };
        let slow = Unread::TooSlow(named.clone()).to_string();
        assert_eq!(slow, "cannot get events app in shop: the API server did not answer in time");
        assert_eq!(named.question(), "kubectl auth can-i get events/app -n shop");
    }
}
