//! Why the cluster's settings are not known, or not for certain.

use std::fmt;

use crate::cluster::Unread;

/// What limits a decision that follows from the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SettingsProblem {
    /// A part could not be read.
    Unread(Unread),
    /// There is neither a webhook nor an agent with podrole's labels.
    NotInstalled,
    /// More than one of a component; the first one was read.
    Several { component: &'static str, daemons: Vec<String> },
    /// This version does not know a flag of a daemon.
    UnknownFlag { daemon: String, flag: String },
    /// This version does not know a value of a flag.
    UnknownValue { daemon: String, flag: String },
    /// The flags contradict each other, or one of them has a value that cannot be one.
    Invalid { daemon: String, error: String },
    /// A value comes from a Secret, a ConfigMap or the pod's fields.
    NotLiteral { daemon: String, variable: String },
    /// Bare role names are of the AWS account of the webhook's own instance.
    InstanceAccount { daemon: String },
    /// The association list or the ConfigMap of roles is not where it can be read, or cannot be parsed.
    Source { what: &'static str, error: String },
    /// A daemon is of another minor version than this program.
    OtherVersion { daemon: String, version: String },
}

impl SettingsProblem {
    /// Whether decisions of this program may merely differ from the daemon's. Otherwise they are unknown.
    pub(crate) fn is_warning(&self) -> bool {
        matches!(self, Self::OtherVersion { .. })
    }
}

impl fmt::Display for SettingsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = env!("CARGO_PKG_VERSION");
        match self {
            Self::Unread(unread) => unread.fmt(f),
            Self::NotInstalled => f.write_str(
                "no Deployment or DaemonSet of the cluster has podrole's labels, so its settings are not known",
            ),
            Self::Several { component, daemons } => {
                write!(f, "there is more than one {component}: {}; the first one's flags were read", daemons.join(", "))
            }
            Self::UnknownFlag { daemon, flag } => write!(
                f,
                "{daemon} has the flag {flag}, which podrole {own} does not know; use the podrole of its version"
            ),
            Self::UnknownValue { daemon, flag } => write!(
                f,
                "{daemon} has a value of {flag} that podrole {own} does not know; use the podrole of its version"
            ),
            Self::Invalid { daemon, error } => write!(f, "the flags of {daemon} cannot be used: {error}"),
            Self::NotLiteral { daemon, variable } => write!(
                f,
                "{daemon} gets {variable} from a reference, which this command does not read; give the flag that it sets"
            ),
            Self::InstanceAccount { daemon } => write!(
                f,
                "{daemon} completes bare role names by its instance's AWS account, which this command cannot ask for"
            ),
            Self::Source { what, error } => write!(f, "{what}: {error}"),
            Self::OtherVersion { daemon, version } => write!(
                f,
                "{daemon} is of version {version} and this is podrole {own}; they may decide differently"
            ),
        }
    }
}
