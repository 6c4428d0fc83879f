//! Whether a Secret that an annotation asks for may be added.

use super::{DesiredSecret, SecretOwner, protected_paths, reserved_variables};
use crate::{PERMITTED_SECRETS_ANNOTATION, PermittedSecrets, PermittedSecretsError};

/// Why a Secret may not be added. The texts follow the annotation's name in a warning, so they are
/// short.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretDenial {
    /// The namespace's guard-rail does not have it.
    #[error("the namespace's {PERMITTED_SECRETS_ANNOTATION} has no pattern for {0}; add one")]
    NotPermitted(String),
    /// The namespace's guard-rail cannot be parsed.
    #[error(transparent)]
    Malformed(#[from] PermittedSecretsError),
    /// A ServiceAccount's prefix of variables has another form.
    #[error("a ServiceAccount's env must be like DB_; change it, or annotate the pod")]
    EnvPrefix,
    /// A ServiceAccount's variables could be ones that change how programs run.
    #[error("env {prefix} is reserved ({reader}); change it, or annotate the pod")]
    ReservedVariable {
        /// The prefix.
        prefix: String,
        /// What reads variables that begin with it.
        reader: &'static str,
    },
    /// A ServiceAccount's mount would cover, or be among, files that programs run, load or trust.
    #[error("a ServiceAccount must not mount over {0}; change the path, or annotate the pod")]
    ProtectedPath(&'static str),
}

impl DesiredSecret {
    /// Decides whether the Secret may be added to a container of a namespace that has the guard-rail
    /// `permitted`. `mount_path` is the mount path with its placeholders filled in.
    ///
    /// # Errors
    /// Why it must not be added; the text says how to fix it.
    pub fn permit(
        &self,
        mount_path: Option<&str>,
        permitted: &PermittedSecrets,
    ) -> Result<(), SecretDenial> {
        if let PermittedSecrets::Malformed(error) = permitted {
            return Err(error.clone().into());
        }
        if !permitted.permits(&self.secret_name) {
            return Err(SecretDenial::NotPermitted(self.secret_name.clone()));
        }
        match self.owner {
            SecretOwner::Pod => Ok(()),
            SecretOwner::ServiceAccount => {
                self.env_prefix.as_deref().map_or(Ok(()), permit_prefix)?;
                mount_path
                    .and_then(protected_paths::touched)
                    .map_or(Ok(()), |protected| Err(SecretDenial::ProtectedPath(protected)))
            }
        }
    }
}

fn permit_prefix(prefix: &str) -> Result<(), SecretDenial> {
    let word = prefix.strip_suffix('_').unwrap_or_default();
    let legal = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    if !word.starts_with(|c: char| c.is_ascii_uppercase()) || !word.bytes().all(legal) {
        return Err(SecretDenial::EnvPrefix);
    }
    match reserved_variables::reader_of(prefix) {
        Some(reader) => Err(SecretDenial::ReservedVariable { prefix: prefix.to_owned(), reader }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AnnotationPrefix, Annotations, PodAnnotations, ServiceAccountAnnotations};

    /// The decisions about one value in a ServiceAccount's annotation and in a pod's.
    fn both(value: &str, permitted: &PermittedSecrets) -> [Result<(), SecretDenial>; 2] {
        let annotations: Annotations =
            [("secret.podrole.io/db".to_owned(), value.to_owned())].into();
        let prefix = AnnotationPrefix::default();
        let service_account = ServiceAccountAnnotations::read(&annotations, &prefix).secrets;
        let pod = PodAnnotations::read(&annotations, &prefix).secrets;
        [service_account, pod].map(|secrets| {
            let (_, desired) = secrets.desired().next().unwrap();
            desired.permit(desired.mount_path.as_deref(), permitted)
        })
    }

    #[test]
    fn a_guard_rail_is_for_service_accounts_and_pods() {
        let denied = Err(SecretDenial::NotPermitted("db".to_owned()));
        for (guard_rail, result) in [
            (Some("other"), denied.clone()),
            (Some(""), denied),
            (Some("d*"), Ok(())),
            (None, Ok(())),
        ] {
            let permitted = PermittedSecrets::read(guard_rail);
            assert_eq!(both("/etc/db", &permitted), [result.clone(), result], "{guard_rail:?}");
        }
        let malformed = both("/etc/db", &PermittedSecrets::read(Some("*, DB")));
        for denial in malformed.map(Result::unwrap_err) {
            assert!(denial.to_string().contains("pattern 2"), "{denial}");
        }
    }

    #[test]
    fn a_service_accounts_variables_begin_with_one_plain_word() {
        for prefix in ["", "_", "D", "DB", "db_", "Db_", "DB__", "MY_DB_", "LD_PRELOAD_"] {
            let value = format!(r#"{{"env":"{prefix}"}}"#);
            let expected = [Err(SecretDenial::EnvPrefix), Ok(())];
            assert_eq!(both(&value, &PermittedSecrets::Any), expected, "{prefix}");
        }
        for prefix in ["D_", "DB_", "DB2_"] {
            let value = format!(r#"{{"env":"{prefix}"}}"#);
            assert_eq!(both(&value, &PermittedSecrets::Any), [Ok(()), Ok(())], "{prefix}");
        }
    }

    #[test]
    fn a_service_accounts_variables_are_not_those_of_loaders_interpreters_and_sdks() {
        for prefix in ["LD_", "PYTHON_", "NODE_", "JAVA_", "AWS_", "BASH_", "HTTPS_", "SSL_"] {
            let value = format!(r#"{{"env":"{prefix}"}}"#);
            let [service_account, pod] = both(&value, &PermittedSecrets::Any);
            let text = service_account.unwrap_err().to_string();
            assert!(text.contains(&format!("env {prefix} is reserved")), "{text}");
            assert_eq!(pod, Ok(()), "{prefix}");
        }
    }

    #[test]
    fn a_service_account_mounts_nothing_over_programs() {
        for (path, protected) in [("/bin", "/bin"), ("/etc", "/etc/ssl"), ("/usr/bin", "/usr")] {
            let expected = [Err(SecretDenial::ProtectedPath(protected)), Ok(())];
            assert_eq!(both(path, &PermittedSecrets::Any), expected, "{path}");
        }
    }

    #[test]
    fn the_filled_in_path_decides() {
        let value = "/{serviceaccount.name}";
        assert_eq!(both(value, &PermittedSecrets::Any), [Ok(()), Ok(())]);
        let annotations: Annotations =
            [("secret.podrole.io/db".to_owned(), value.to_owned())].into();
        let read = ServiceAccountAnnotations::read(&annotations, &AnnotationPrefix::default());
        let (_, desired) = read.secrets.desired().next().unwrap();
        let denied = desired.permit(Some("/usr"), &PermittedSecrets::Any);
        assert_eq!(denied, Err(SecretDenial::ProtectedPath("/usr")));
    }
}
