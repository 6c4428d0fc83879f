//! The forms in which a policy is printed.

use clap::ValueEnum;
use serde_json::Value;

/// The form of the printed policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum PolicyForm {
    /// The JSON that IAM reads
    #[default]
    Policy,
    /// The argument of Terraform's aws_iam_role
    Terraform,
    /// The property of CloudFormation's AWS::IAM::Role
    Cloudformation,
}

/// The policy in a form, with a line break at its end.
pub(super) fn text(form: PolicyForm, policy: &Value) -> String {
    let json = format!("{policy:#}");
    match form {
        PolicyForm::Policy => format!("{json}\n"),
        PolicyForm::Terraform => {
            // HCL reads objects of JSON; only its templates begin differently.
            let json = json.replace("${", "$${").replace("%{", "%%{");
            format!("assume_role_policy = jsonencode({json})\n")
        }
        // YAML reads JSON, and CloudFormation's templates are one of the two.
        PolicyForm::Cloudformation => {
            let json = json.replace('\n', "\n  ");
            format!("AssumeRolePolicyDocument:\n  {json}\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_form_has_the_whole_policy() {
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Sid": "${a} %{b}"}]});
        assert_eq!(
            text(PolicyForm::Terraform, &policy),
            "assume_role_policy = jsonencode({\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n    {\n      \"Sid\": \"$${a} %%{b}\"\n    }\n  ]\n})\n"
        );
        let template = text(PolicyForm::Cloudformation, &policy);
        let read: Value = serde_saphyr::from_str(&template).unwrap();
        assert_eq!(read, json!({"AssumeRolePolicyDocument": policy}));
        let read: Value = serde_json::from_str(&text(PolicyForm::Policy, &policy)).unwrap();
        assert_eq!(read, policy);
    }
}
